import { createHmac, randomBytes } from 'node:crypto';
import { findSecrets } from '../portable/find-secrets.ts';
import { readTreeFile, type CompanyTree } from '../portable/company-tree.ts';
import type { CloneParts } from './clone-parts.ts';

type Secrets = CloneParts['secrets'];

/** Larger files are no texts that a person wrote. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Names of secrets of both companies that have the same value, as `<name> of the source = <name>`. Values are compared by digests
 * under a key that is forgotten.
 */
export async function sharedSecrets(secrets: Secrets, source: string, target: string): Promise<string[]> {
  const key = randomBytes(32);
  const digestsOf = async (instance: string): Promise<[name: string, digest: string][]> => {
    const found: [string, string][] = [];
    for (const name of await secrets.names(instance)) {
      const value = await secrets.reveal(instance, name);
      if (value !== null) found.push([name, createHmac('sha256', key).update(value.reveal()).digest('base64')]);
    }
    return found;
  };
  const names = new Map((await digestsOf(source)).map(([name, digest]) => [digest, name]));
  return (await digestsOf(target)).flatMap(([name, digest]) => {
    const same = names.get(digest);
    return same === undefined ? [] : [`secret ${name} has the value of secret ${same} of ${source}`];
  });
}

/** Files of a tree that hold the value of a secret of `instance`; values under 8 characters are not looked for. */
export async function filesWithSecrets(
  secrets: Secrets,
  instance: string,
  folder: string,
  tree: CompanyTree,
): Promise<string[]> {
  const holdsSecret = await findSecrets(secrets, instance);
  const found: string[] = [];
  for (const { path: file, bytes } of tree.files) {
    if (bytes > MOST_BYTES) continue;
    const chunks: Buffer[] = [];
    for await (const chunk of readTreeFile(folder, file)) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    if (holdsSecret(text)) found.push(file);
  }
  return found;
}

import path from 'node:path';
import { ColmeiaError } from '../../../platform/errors.ts';
import { Secret } from '../../../platform/secret.ts';
import { secretReference } from '../../../trust/secrets/secret-reference.ts';
import { parseEnvFile, withEnvValues } from './env-file.ts';
import { COMPANY_FILES, readText, UnreadableFile, type CompanyFile } from './instance-folder.ts';
import { parseJson, valueOf } from './json-text.ts';
import { secretsOfEnv, takeSecrets, type FoundSecret } from './plain-secrets.ts';
import { replaceFile } from './replace-file.ts';
import { withJsonValue } from './write-config.ts';

/**
 * Moves what stands as plain text in the files of a company into the secret store and leaves references; resolves with the
 * names. `keep` puts one secret into the store: only when all of a file's are there is the file replaced, as a whole, so that
 * no secret is lost and a repeat does the rest. Of a file that was changed meanwhile nothing is replaced: INSTANCE_INVALID.
 */
export async function movePlainSecrets(
  folder: string,
  keep: (name: string, value: Secret) => Promise<void>,
): Promise<string[]> {
  const moved: string[] = [];
  for (const file of Object.keys(COMPANY_FILES) as CompanyFile[]) {
    const text = await textOf(folder, file);
    if (text === null) continue;
    const plain = secretsIn(file, text).filter(({ value }) => value !== null);
    if (plain.length === 0) continue;
    for (const { name, value } of plain) await keep(name, new Secret(value!));
    if ((await textOf(folder, file)) !== text) {
      const message = `${file} was changed while its secrets were stored; repeat the call`;
      throw new ColmeiaError('INSTANCE_INVALID', message, { faults: [{ path: file, message }] });
    }
    await replaceFile(path.join(folder, file), withReferences(file, text, plain));
    moved.push(...plain.map(({ name }) => name));
  }
  return [...new Set(moved)].sort();
}

/** The text with references in the places of plain secrets, and their names; for what leaves the company. */
export function withoutPlainSecrets(file: CompanyFile, text: string): { text: string; names: string[] } {
  const plain = secretsIn(file, text).filter(({ value }) => value !== null);
  return { text: withReferences(file, text, plain), names: plain.map(({ name }) => name) };
}

async function textOf(folder: string, file: CompanyFile): Promise<string | null> {
  try {
    return (await readText(folder, file, COMPANY_FILES[file])).text;
  } catch (error) {
    if (error instanceof UnreadableFile) return null;
    throw error;
  }
}

function secretsIn(file: CompanyFile, text: string): FoundSecret[] {
  if (file === '.env') return secretsOfEnv(parseEnvFile(text).entries);
  const { root } = parseJson(text);
  return root === null ? [] : takeSecrets(file, valueOf(root)).found;
}

function withReferences(file: CompanyFile, text: string, plain: readonly FoundSecret[]): string {
  if (file === '.env')
    return withEnvValues(text, new Map(plain.map(({ at, name }) => [String(at[0]), secretReference(name)])));
  // Every place was found in this text, so none of the changes can fail.
  return plain.reduce((changed, { at, name }) => withJsonValue(changed, at, secretReference(name))!, text);
}

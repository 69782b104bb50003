import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ColmeiaError } from '../../../platform/errors.ts';
import { secretReference } from '../../../trust/secrets/secret-reference.ts';
import { parseEnvFile } from '../folder/env-file.ts';
import { parseJson, valueOf } from '../folder/json-text.ts';
import { COMPANY_FILES, COMPANY_FOLDERS, readText, SCHEMAS_FOLDER, UnreadableFile } from '../folder/instance-folder.ts';
import { installSchemas } from '../folder/lay-out-folder.ts';
import { secretsOfEnv, takeSecrets } from '../folder/plain-secrets.ts';
import { replaceFile, syncFolder } from '../folder/replace-file.ts';
import { withJsonValue } from '../folder/write-config.ts';
import { withIdentity } from './company-identity.ts';
import { isExecutable, listTree, readTreeFile } from './company-tree.ts';

type Carriage = {
  from: string;
  /** Folder of the new company; its parent is made when it is not there. */
  to: string;
  instancesFolder: string;
  name: string;
  formerName: string;
  signal: AbortSignal;
};

type JsonFileName = Exclude<keyof typeof COMPANY_FILES, '.env'>;
const JSON_FILES = Object.keys(COMPANY_FILES).filter((name): name is JsonFileName => name !== '.env');
/** Drafts of new folders begin like this; old ones are taken away when a folder is laid out. */
const DRAFT = '.making-';

/**
 * Makes the folder of a company from that of another, written beside and renamed. Fields that say who it is are its own,
 * plain secrets become references, of `.env` only names go along. A folder that is there already is left alone.
 */
export async function carryFiles({ from, to, instancesFolder, name, formerName, signal }: Carriage): Promise<void> {
  const parent = path.dirname(to);
  await fs.mkdir(parent, { recursive: true, mode: 0o700 });
  await installSchemas(instancesFolder);
  const draft = path.join(parent, `${DRAFT}${name}-${randomUUID()}`);
  const schemas = path.relative(to, path.join(instancesFolder, SCHEMAS_FOLDER)).replaceAll('\\', '/');
  try {
    for (const folder of ['', ...COMPANY_FOLDERS]) await makeFolder(path.join(draft, folder));
    for (const { path: file } of (await listTree(from)).files) {
      signal.throwIfAborted();
      if (!isJson(file)) await copyTreeFile(from, draft, file);
      else
        await fs.writeFile(
          path.join(draft, file),
          withIdentity(file, await carriedText(from, file), { name, formerName, schemas }),
          { mode: 0o600 },
        );
    }
    await fs.writeFile(path.join(draft, '.env'), await carriedEnv(from), { mode: 0o600 });
    await syncFolder(draft);
    await fs.rename(draft, to);
  } catch (error) {
    await fs.rm(draft, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(parent);
}

/** The text of a JSON file, with references in the places of plain secrets. Throws INSTANCE_INVALID when it is no JSON. */
export async function carriedText(folder: string, file: JsonFileName): Promise<string> {
  const { text } = await readText(folder, file, COMPANY_FILES[file]);
  const { root } = parseJson(text);
  if (root === null) throw new ColmeiaError('INSTANCE_INVALID', `${file} is no JSON`);
  const plain = takeSecrets(file, valueOf(root)).found.filter(({ value }) => value !== null);
  // Every place was found in this text, so none of the changes can fail.
  return plain.reduce((changed, { at, name }) => withJsonValue(changed, at, secretReference(name))!, text);
}

/** Names of variables, and references to secrets; neither values nor comments, which may hold old ones. */
export async function carriedEnv(folder: string): Promise<string> {
  const lines = ['# Values stay with the company that this was made from: only names and references came along.'];
  const text = await readText(folder, '.env', COMPANY_FILES['.env']).catch((error: unknown) => {
    if (error instanceof UnreadableFile) return { text: '' };
    throw error;
  });
  const { entries } = parseEnvFile(text.text);
  const references = new Map(secretsOfEnv(entries).map(({ at, name }) => [String(at[0]), secretReference(name)]));
  for (const name of new Set(entries.map((entry) => entry.name))) lines.push(`${name}=${references.get(name) ?? ''}`);
  return `${lines.join('\n')}\n`;
}

export const isJson = (file: string): file is JsonFileName => (JSON_FILES as string[]).includes(file);

/** A file of a tree, with its right to be executed. */
export async function copyTreeFile(from: string, draft: string, file: string): Promise<void> {
  const target = path.join(draft, file);
  await makeFolder(path.dirname(target));
  const handle = await fs.open(target, 'wx', (await isExecutable(from, file)) ? 0o700 : 0o600);
  await pipeline(readTreeFile(from, file), handle.createWriteStream({ flush: true }));
}

async function makeFolder(folder: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
}

/** Writes a document of an operation into the folder of the company. */
export async function writeDocument(folder: string, name: string, document: unknown): Promise<void> {
  await replaceFile(path.join(folder, name), `${JSON.stringify(document, null, 2)}\n`);
}

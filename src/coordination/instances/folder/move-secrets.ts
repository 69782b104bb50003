import path from 'node:path';
import { ColmeiaError, type Fault } from '../../../platform/errors.ts';
import { Secret } from '../../../platform/secret.ts';
import { secretReference } from '../../../trust/secrets/secret-reference.ts';
import { parseEnvFile, withEnvValues } from './env-file.ts';
import { COMPANY_FILES, readText, UnreadableFile, type CompanyFile } from './instance-folder.ts';
import { parseJson, valueOf } from './json-text.ts';
import { secretsOfEnv, takeSecrets, type FoundSecret } from './plain-secrets.ts';
import { replaceFile } from './replace-file.ts';
import { withJsonValue } from './write-config.ts';

type PlainFile = { file: CompanyFile; text: string; plain: FoundSecret[] };

/**
 * Moves what stands as plain text in the files of a company into the secret store and leaves references; resolves with the
 * names. `keep` puts one secret into the store: only when all of a file's are there is the file replaced, as a whole, so that
 * no secret is lost and a repeat does the rest. Throws INSTANCE_INVALID for a file that was changed meanwhile, and, before anything
 * is stored, when two files have different values for one name.
 */
export async function movePlainSecrets(
  folder: string,
  keep: (name: string, value: Secret) => Promise<void>,
): Promise<string[]> {
  const files: PlainFile[] = [];
  for (const file of Object.keys(COMPANY_FILES) as CompanyFile[]) {
    const text = await textOf(folder, file);
    const plain = text === null ? [] : secretsIn(file, text).filter(({ value }) => value !== null);
    if (plain.length > 0) files.push({ file, text: text!, plain });
  }
  refuseContradictions(files);
  for (const { file, text, plain } of files) {
    for (const { name, value } of plain) await keep(name, new Secret(value!));
    if ((await textOf(folder, file)) !== text)
      throw invalid([{ path: file, message: `was changed while its secrets were stored; repeat the call` }]);
    await replaceFile(path.join(folder, file), withReferences(file, text, plain));
  }
  return [...new Set(files.flatMap(({ plain }) => plain.map(({ name }) => name)))].sort();
}

function refuseContradictions(files: readonly PlainFile[]): void {
  const first = new Map<string, { file: string; value: string }>();
  const faults = files.flatMap(({ file, plain }) =>
    plain.flatMap(({ name, value }): Fault[] => {
      const known = first.get(name);
      if (known === undefined) first.set(name, { file, value: value! });
      if (known === undefined || known.value === value) return [];
      return [{ path: file, message: `has another value for the secret "${name}" than ${known.file}` }];
    }),
  );
  if (faults.length > 0) throw invalid(faults);
}

function invalid(faults: Fault[]): ColmeiaError {
  const [{ path: file, message }] = faults as [Fault];
  return new ColmeiaError('INSTANCE_INVALID', `${file} ${message}`, { faults });
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

import type { CompanyFault } from '../instance-views.ts';
import { companyFault } from '../validation/validation-codes.ts';
import { checkValue, type SchemaName } from './check-json-file.ts';
import { readText, UnreadableFile } from './instance-folder.ts';
import { parseJson, valueOf } from './json-text.ts';
import { takeSecrets, type FoundSecret } from './plain-secrets.ts';

/** A file as read: null = it is not there or cannot be used; `secrets` without values. */
export type ReadFile<T> = { value: T | null; faults: CompanyFault[]; secrets: SecretPlace[] };
/** Where a secret is referred to, or (`plain`) stands as text. */
export type SecretPlace = { name: string; place: string; plain: boolean };

/** `file` as people know it, `relative` to `folder`. `isOptional`: that it is not there is no fault. */
export type JsonFile = { folder: string; relative: string; schema: SchemaName; limit: number; isOptional?: boolean };

/** Reads a JSON file of a company by its schema. Never throws for what is in the file. */
export async function readJsonFile<T>({ folder, relative, schema, limit, isOptional }: JsonFile): Promise<ReadFile<T>> {
  let text: string;
  try {
    ({ text } = await readText(folder, relative, limit));
  } catch (error) {
    const fault = unreadableFault(relative, error);
    return { value: null, faults: isOptional && fault.code === 'FILE_MISSING' ? [] : [fault], secrets: [] };
  }
  const { root, faults: written } = parseJson(text);
  const faults = written.map(({ line, column, message }) =>
    companyFault('JSON_INVALID', relative, `line ${line}, column ${column}: ${message}`),
  );
  if (root === null) return { value: null, faults, secrets: [] };
  const { value, found } = takeSecrets(relative, valueOf(root));
  const secrets = found.map((secret) => placeOf(relative, secret));
  faults.push(...secrets.filter((secret) => secret.plain).map(plainFault));
  const checked = checkValue(schema, value);
  faults.push(
    ...checked.faults.map((one) => companyFault('VALUE_INVALID', placeIn(relative, one.path), one.message)),
    ...checked.unknown.map((one) => companyFault('UNKNOWN_KEY', placeIn(relative, one.path), one.message)),
  );
  return { value: checked.faults.length === 0 ? (value as T) : null, faults, secrets };
}

export function unreadableFault(place: string, error: unknown): CompanyFault {
  if (!(error instanceof UnreadableFile)) throw error;
  if (error.reason === 'absent') return companyFault('FILE_MISSING', place, `${place} is not there`);
  if (error.reason === 'outside') return companyFault('FILE_OUTSIDE', place, `${place} ${error.message}`);
  return companyFault('FILE_UNREADABLE', place, `${place} ${error.message}`);
}

export function placeOf(file: string, { at, name, value }: FoundSecret): SecretPlace {
  return { name, place: placeIn(file, at.join('.')), plain: value !== null };
}

export function plainFault({ place, name }: SecretPlace): CompanyFault {
  return companyFault('PLAIN_SECRET', place, `a secret stands here as plain text; it will be stored as "${name}"`);
}

const placeIn = (file: string, path: string): string => (path === '' ? file : `${file}: ${path}`);

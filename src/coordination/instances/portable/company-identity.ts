import { ColmeiaError } from '../../../platform/errors.ts';
import { parseJson, valueOf } from '../folder/json-text.ts';
import { withJsonValue } from '../folder/write-config.ts';

/** Who a company is; what of its files cannot be the same in a copy follows from it. */
type Identity = {
  name: string;
  /** Of the company that the files come from. */
  formerName: string;
  /** The folder of JSON Schemas as the files reach it, with `/`. */
  schemas: string;
};

type Field = {
  file: string;
  at: readonly string[];
  /** What it becomes; `former` is what stands there. undefined = it stays. */
  become(identity: Identity, former: unknown): unknown;
};

const MOST_DISPLAY_NAME = 80;

/**
 * The closed list of fields that differ between a company and its copy. A field that is not there is not added. Keys of project and
 * space, and what names a Supabase project, are empty until the copy has its own.
 */
const IDENTITY_FIELDS: readonly Field[] = [
  ...['config', 'supabase.config', 'atlassian.config', 'mcp'].map((schema): Field => ({
    file: `${schema}.json`,
    at: ['$schema'],
    become: ({ schemas }) => `${schemas}/${schema}.schema.json`,
  })),
  { file: 'config.json', at: ['name'], become: ({ name }) => name },
  { file: 'config.json', at: ['display_name'], become: displayNameOf },
  // A copy has a database that Colmeia makes: it never writes into the one that the source names.
  { file: 'config.json', at: ['database'], become: () => ({}) },
  { file: 'supabase.config.json', at: ['project_ref'], become: () => null },
  { file: 'supabase.config.json', at: ['url'], become: () => null },
  { file: 'supabase.config.json', at: ['publishable_key'], become: keyOf },
  { file: 'atlassian.config.json', at: ['jira', 'project_key'], become: () => null },
  { file: 'atlassian.config.json', at: ['confluence', 'space_key'], become: () => null },
];

/** The text of a file of a company as that of another one, by its fields; all other texts stay, whatever they say. */
export function withIdentity(file: string, text: string, identity: Identity): string {
  const fields = IDENTITY_FIELDS.filter((field) => field.file === file);
  if (fields.length === 0) return text;
  const { root } = parseJson(text);
  if (root === null) throw new ColmeiaError('INSTANCE_INVALID', `${file} is no JSON`);
  const value = valueOf(root);
  return fields.reduce((changed, { at, become }) => {
    const former = valueAt(value, at);
    const next = former === undefined ? undefined : become(identity, former);
    return next === undefined ? changed : (withJsonValue(changed, at, next) ?? changed);
  }, text);
}

/** The value of a file without the fields that may differ. */
export function withoutIdentity(file: string, value: unknown): unknown {
  const copy = structuredClone(value);
  for (const { at } of IDENTITY_FIELDS.filter((field) => field.file === file)) {
    const owner = valueAt(copy, at.slice(0, -1));
    if (isObject(owner)) delete owner[at.at(-1)!];
  }
  return copy;
}

/** The fields that may differ, with their values, as far as they are there. */
export function identityOf(file: string, value: unknown): Record<string, unknown> {
  const fields = IDENTITY_FIELDS.filter((field) => field.file === file && field.at[0] !== '$schema');
  const found = fields.map(({ at }) => [`${file}: ${at.join('.')}`, valueAt(value, at)] as const);
  return Object.fromEntries(found.filter(([, is]) => is !== undefined));
}

function displayNameOf({ name, formerName }: Identity, former: unknown): unknown {
  if (typeof former !== 'string' || former === formerName) return name;
  const suffix = ` (${name})`;
  return former.slice(0, MOST_DISPLAY_NAME - suffix.length) + suffix;
}

/** A reference stays, as it names no project. */
function keyOf(_: Identity, former: unknown): unknown {
  return typeof former === 'string' && former.startsWith('secret:') ? undefined : '';
}

function valueAt(value: unknown, at: readonly string[]): unknown {
  return at.reduce<unknown>((node, name) => (isObject(node) ? node[name] : undefined), value);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

import { ColmeiaError } from '../../../platform/errors.ts';
import { isCompanyName } from '../folder/company-name.ts';
import { STRATEGIES, TIERS, type Strategy, type Tier } from '../instance-views.ts';

/** The version of the format that this Colmeia writes, and the newest that it reads. */
export const FORMAT = 1;
export const MANIFEST = 'manifest.json';

/** One file of an export. */
export type Part = { path: string; bytes: number; sha256: string; executable: boolean };

/** `checksum` as in a fingerprint; null = of the table that says whose database it is. */
type DumpedTable = { name: string; rows: number; bytes: number; checksum: string | null };

/**
 * What an export holds. Parts: `files/…` as in the company's folder, `database/…` as a dump has it, `jira/…` and `confluence/…` with
 * `records.jsonl` and `attachments/<sha256>`.
 */
export type Manifest = {
  format: typeof FORMAT;
  /** Version of Colmeia that wrote it. */
  colmeia: string;
  created_at: string;
  company: { name: string; strategy: Strategy; tier: Tier; template: string; budget_usd: number | null };
  owners: string[];
  /** Names of its secrets; no value is in an export. */
  secrets: string[];
  /** null = it was not initialized. */
  database: { tables: DumpedTable[]; rows: number } | null;
  jira: { items: number } | null;
  confluence: { items: number } | null;
  /** Files of the company that stayed, as links. */
  left_out: string[];
  parts: Part[];
};

const MOST_PARTS = 200_000;

export const exportInvalid = (message: string, cause?: unknown): ColmeiaError =>
  new ColmeiaError('EXPORT_INVALID', `the file is no export that can be used: ${message}`, { cause });

/** Reads the text of a manifest. Throws EXPORT_INVALID, which for a newer format names the version that is needed. */
export function parseManifest(text: string): Manifest {
  let manifest: Record<string, unknown>;
  try {
    manifest = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw exportInvalid(`${MANIFEST} is no JSON`, error);
  }
  if (!isObject(manifest)) throw exportInvalid(`${MANIFEST} is no object`);
  const { format, colmeia } = manifest;
  if (typeof format === 'number' && format > FORMAT)
    throw exportInvalid(`it has format ${format}; this takes Colmeia ${String(colmeia).slice(0, 20)} or later`);
  const wrong = Object.entries(RULES).filter(([name, rule]) => !rule(manifest[name]));
  if (wrong.length > 0) throw exportInvalid(`${MANIFEST} has no valid ${wrong.map(([name]) => name).join(', ')}`);
  const seen = new Set<string>();
  for (const { path: name } of manifest.parts as Part[]) {
    // Names that differ in case alone are one file on some systems.
    if (seen.has(name.toLowerCase())) throw exportInvalid(`${name} is named twice`);
    seen.add(name.toLowerCase());
  }
  return manifest as Manifest;
}

/** Relative, below one of the four folders, without steps out of it and without names that some system would read otherwise. */
function isPartPath(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= 1_000 &&
    /^(files|database|jira|confluence)\//.test(value) &&
    // oxlint-disable-next-line no-control-regex
    !/[\\:\u0000-\u001f\u007f]/.test(value) &&
    value.isWellFormed() &&
    value
      .split('/')
      .every(
        (name) => name !== '' && name !== '.' && name !== '..' && !/[. ]$/.test(name) && Buffer.byteLength(name) <= 255,
      )
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown, most = 1_000): value is string => typeof value === 'string' && value.length <= most;
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((one) => isText(one));
const isContent = (value: unknown): boolean => value === null || (isObject(value) && isCount(value.items));

function isPart(value: unknown): value is Part {
  return (
    isObject(value) &&
    isPartPath(value.path) &&
    typeof value.executable === 'boolean' &&
    isCount(value.bytes) &&
    isText(value.sha256) &&
    /^[0-9a-f]{64}$/.test(value.sha256)
  );
}

function isCompany(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { name, strategy, tier, template, budget_usd: budget } = value;
  const isBudget = budget === null || (typeof budget === 'number' && budget >= 0 && budget <= 1e9);
  const isKnown = STRATEGIES.includes(strategy as Strategy) && TIERS.includes(tier as Tier);
  return isText(name, 63) && isCompanyName(name) && isKnown && isText(template, 100) && isBudget;
}

function isDatabase(value: unknown): boolean {
  if (value === null) return true;
  if (!isObject(value) || !isCount(value.rows) || !Array.isArray(value.tables)) return false;
  return value.tables.every(
    (one) =>
      isObject(one) &&
      isText(one.name) &&
      isCount(one.rows) &&
      isCount(one.bytes) &&
      (one.checksum === null || isText(one.checksum)),
  );
}

const RULES: Record<keyof Manifest, (value: unknown) => boolean> = {
  format: (value) => value === FORMAT,
  colmeia: (value) => isText(value, 40),
  created_at: (value) => isText(value) && !Number.isNaN(Date.parse(value)),
  company: isCompany,
  owners: (value) => isTexts(value) && value.length <= 1_000,
  secrets: isTexts,
  database: isDatabase,
  jira: isContent,
  confluence: isContent,
  left_out: isTexts,
  parts: (value) => Array.isArray(value) && value.length <= MOST_PARTS && value.every(isPart),
};

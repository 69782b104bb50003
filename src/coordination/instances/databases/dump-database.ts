import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

import { ColmeiaError } from '../../../platform/errors.ts';
import { readLines } from '../../../platform/read-lines.ts';
import { type DumpReport } from './company-databases.ts';
import { type Sight } from './company-host.ts';
import { fillDatabase } from './fill-database.ts';
import { takeFingerprint } from './fingerprint.ts';
import { assertPortable } from './portability.ts';
import { readRows } from './read-rows.ts';
import { type SchemaDefinition } from './schema-definition.ts';

/**
 * A dump is a folder: `definition.json` with what PostgreSQL's catalog says of the schema, and `rows/<n>.jsonl` for the n-th of its
 * tables, a JSON string for each row, the text of its composite value. Both tiers read and write it alike.
 */
type DumpFile = {
  format: 1;
  definition: SchemaDefinition;
  sequences: Record<string, string>;
  tables: { name: string; rows: number; bytes: number }[];
};

const DEFINITION = 'definition.json';
const BATCH_ROWS = 5_000;
const BATCH_BYTES = 1024 * 1024;
const MOST_DEFINITION_BYTES = 64 * 1024 * 1024;
/** Of one row. */
const MOST_ROW_BYTES = 256 * 1024 * 1024;

const rowsFile = (folder: string, n: number): string => path.join(folder, 'rows', `${n}.jsonl`);

/** Replaces the folder. Throws DATABASE_NOT_PORTABLE before it writes anything. */
export async function dumpDatabase(
  sight: Sight,
  folder: string,
  options: { signal: AbortSignal; onRows?: (rows: number, of: number) => void },
): Promise<DumpReport> {
  const tables: DumpReport['tables'] = [];
  const { fingerprint } = await takeFingerprint(sight, null, async (moment) => {
    assertPortable(moment.definition, sight.schema);
    const total = Object.values(moment.fingerprint.tables).reduce((sum, { rows }) => sum + rows, 0);
    let done = 0;
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(path.join(folder, 'rows'), { recursive: true, mode: 0o700 });
    for (const [n, { name }] of moment.definition.tables.entries()) {
      let rows = 0;
      async function* lines(): AsyncIterable<string> {
        for await (const batch of readRows(sight.owner, sight.schema, name)) {
          options.signal.throwIfAborted();
          rows += batch.length;
          options.onRows?.((done += batch.length), total);
          yield batch.map((row) => `${JSON.stringify(row)}\n`).join('');
        }
      }
      const file = fs.createWriteStream(rowsFile(folder, n), { mode: 0o600 });
      await pipeline(lines, file);
      tables.push({ name, rows, bytes: file.bytesWritten });
    }
    const { definition } = moment;
    const content: DumpFile = { format: 1, definition, sequences: moment.fingerprint.sequences, tables };
    fs.writeFileSync(path.join(folder, DEFINITION), JSON.stringify(content, null, 1), { mode: 0o600 });
  });
  return { tables, fingerprint };
}

/** Fills the company's database with a dump, in one transaction. */
export async function restoreDatabase(
  sight: Sight,
  id: string,
  folder: string,
  options: { signal: AbortSignal; onRows?: (rows: number, of: number) => void },
): Promise<void> {
  const content = readDump(folder);
  const total = content.tables.reduce((sum, { rows }) => sum + rows, 0);
  const numbers = new Map(content.definition.tables.map(({ name }, n) => [name, n]));
  let done = 0;
  await fillDatabase(sight, id, {
    definition: content.definition,
    sequences: content.sequences,
    rows: (table) => readBatches(rowsFile(folder, numbers.get(table)!)),
    signal: options.signal,
    onRows: (rows) => options.onRows?.((done += rows), total),
  });
}

function readDump(folder: string): DumpFile {
  const file = path.join(folder, DEFINITION);
  if (fs.statSync(file).size > MOST_DEFINITION_BYTES) throw noDump(`${DEFINITION} is too large`);
  const content = parsed(fs.readFileSync(file, 'utf8')) as DumpFile | null;
  if (content?.format === 1) return content;
  throw noDump(`it has format ${String(content?.format)}; this version of Colmeia reads format 1`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw noDump('it holds what is no JSON');
  }
}

const noDump = (why: string): ColmeiaError =>
  new ColmeiaError('DATABASE_NOT_PORTABLE', `The dump cannot be used: ${why}.`);

async function* readBatches(file: string): AsyncIterable<string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for await (const line of readLines(file, MOST_ROW_BYTES, () => noDump('a row is larger than 256 MiB'))) {
    const row = parsed(line);
    if (typeof row !== 'string') throw noDump('a row is no text');
    batch.push(row);
    bytes += row.length;
    if (batch.length < BATCH_ROWS && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

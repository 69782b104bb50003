import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readLines } from '../../../platform/read-lines.ts';
import type { PortableAttachment, PortableRecord } from '../outside-accounts.ts';
import { exportInvalid } from './portable-manifest.ts';

/** A line of `records.jsonl`; what is attached lies beside by its checksum, once for all that are equal. */
type RecordLine = Omit<PortableRecord, 'attachments'> & { attachments: Omit<PortableAttachment, 'open'>[] };

const RECORDS = 'records.jsonl';
const ATTACHMENTS = 'attachments';
/** Of one record, far more than a page may have. */
const MOST_LINE_BYTES = 64 * 1024 * 1024;

/** Writes records with their attachments into a folder that is made; answers how many. */
export async function writeRecords(
  folder: string,
  records: AsyncIterable<PortableRecord>,
  onRecord: (count: number) => void,
): Promise<number> {
  await fs.promises.mkdir(path.join(folder, ATTACHMENTS), { recursive: true, mode: 0o700 });
  let count = 0;
  const lines = async function* (): AsyncIterable<string> {
    for await (const { attachments, ...record } of records) {
      const kept: RecordLine['attachments'] = [];
      for (const attachment of attachments) kept.push(await keepAttachment(folder, attachment));
      onRecord(++count);
      yield `${JSON.stringify({ ...record, attachments: kept } satisfies RecordLine)}\n`;
    }
  };
  await pipeline(lines(), fs.createWriteStream(path.join(folder, RECORDS), { mode: 0o600 }));
  return count;
}

async function keepAttachment(
  folder: string,
  { open, ...attachment }: PortableAttachment,
): Promise<Omit<PortableAttachment, 'open'>> {
  const hash = createHash('sha256');
  const draft = path.join(folder, ATTACHMENTS, randomUUID());
  const hashing = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(open(), hashing, fs.createWriteStream(draft, { mode: 0o600 }));
  const sha256 = hash.digest('hex');
  await fs.promises.rename(draft, path.join(folder, ATTACHMENTS, sha256));
  return { ...attachment, sha256 };
}

/** The records of a folder, from the first one whenever it is called. Throws EXPORT_INVALID for a line that is no record. */
export async function* readRecords(folder: string): AsyncIterable<PortableRecord> {
  const tooLong = (): Error => exportInvalid(`a line of ${RECORDS} is longer than ${MOST_LINE_BYTES} bytes`);
  for await (const line of readLines(path.join(folder, RECORDS), MOST_LINE_BYTES, tooLong)) {
    const { attachments, ...record } = recordOf(line);
    const opened = attachments.map((one): PortableAttachment => {
      return { ...one, open: () => fs.createReadStream(path.join(folder, ATTACHMENTS, one.sha256!)) };
    });
    yield { ...record, attachments: opened };
  }
}

/** An attachment is found by its checksum, which must not lead anywhere else. */
function recordOf(line: string): RecordLine {
  let record: Partial<RecordLine> | null;
  try {
    record = JSON.parse(line) as Partial<RecordLine> | null;
  } catch (error) {
    throw exportInvalid(`a line of ${RECORDS} is no JSON`, error);
  }
  const isWhole =
    typeof record?.content === 'object' &&
    record.content !== null &&
    Number.isSafeInteger(record.order) &&
    Array.isArray(record.attachments) &&
    record.attachments.every((one) => typeof one?.sha256 === 'string' && /^[0-9a-f]{64}$/.test(one.sha256));
  if (!isWhole) throw exportInvalid(`a line of ${RECORDS} is no record`);
  return record as RecordLine;
}

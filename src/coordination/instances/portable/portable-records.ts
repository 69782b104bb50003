import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PortableAttachment, PortableRecord } from '../outside-accounts.ts';

/** A line of `records.jsonl`; what is attached lies beside by its checksum, once for all that are equal. */
type RecordLine = Omit<PortableRecord, 'attachments'> & { attachments: Omit<PortableAttachment, 'open'>[] };

const RECORDS = 'records.jsonl';
const ATTACHMENTS = 'attachments';

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

/** The records of a folder, from the first one whenever it is called. */
export async function* readRecords(folder: string): AsyncIterable<PortableRecord> {
  const lines = readline.createInterface({
    input: fs.createReadStream(path.join(folder, RECORDS)),
    crlfDelay: Infinity,
  });
  for await (const line of lines) {
    const { attachments, ...record } = JSON.parse(line) as RecordLine;
    const opened = attachments.map((one): PortableAttachment => {
      return { ...one, open: () => fs.createReadStream(path.join(folder, ATTACHMENTS, one.sha256!)) };
    });
    yield { ...record, attachments: opened };
  }
}

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { isColmeiaError } from '../../../platform/errors.ts';
import type { PortableRecord } from '../outside-accounts.ts';
import { readRecords, writeRecords } from './portable-records.ts';

let folder: string;
before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-records-'))));
after(() => fs.rmSync(folder, { recursive: true }));

const SHA256 = 'a'.repeat(64);
const record = (attachments: unknown): object => ({ kind: 'issue', order: 1, parent: null, content: {}, attachments });

async function readLine(line: string): Promise<PortableRecord[]> {
  fs.writeFileSync(path.join(folder, 'records.jsonl'), `${line}\n`);
  return all(readRecords(folder));
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test('what is attached to a record comes back as it was', async () => {
  const open = async function* (): AsyncIterable<Uint8Array> {
    yield Buffer.from('content');
  };
  const attachment = { name: 'a.txt', type: 'text/plain', bytes: 7, sha256: null, open };
  const written: PortableRecord = {
    kind: 'issue',
    order: 1,
    parent: null,
    content: { a: 1 },
    attachments: [attachment],
  };
  const records = async function* (): AsyncIterable<PortableRecord> {
    yield written;
  };
  const own = path.join(folder, 'own');
  assert.equal(await writeRecords(own, records(), () => {}), 1);
  const [read] = await all(readRecords(own));
  assert.deepEqual(read!.content, { a: 1 });
  assert.equal(Buffer.concat(await all(read!.attachments[0]!.open())).toString(), 'content');
});

test('no record of a hostile file leads to another file, and none fills the memory', async () => {
  assert.equal((await readLine(JSON.stringify(record([{ sha256: SHA256 }])))).length, 1);
  const hostile = [
    JSON.stringify(record([{ sha256: '../../../../../../etc/hostname' }])),
    JSON.stringify(record([{ sha256: `${SHA256}/../../x` }])),
    JSON.stringify(record([{ sha256: null }])),
    JSON.stringify(record([null])),
    JSON.stringify(record({ length: 1 })),
    'null',
    '[]',
    '{"content": {}',
    'x'.repeat(64 * 1024 * 1024 + 1),
  ];
  for (const line of hostile)
    await assert.rejects(readLine(line), (error) => isColmeiaError(error, 'EXPORT_INVALID'), line.slice(0, 100));
});

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { pack as openPack } from 'tar-stream';
import { readManifest } from '../../src/coordination/instances/portable/read-portable.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';

let home: string;
before(() => (home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-hostile-archive-'))));
after(() => fs.rmSync(home, { recursive: true }));

async function withManifest(text: string | Buffer): Promise<string> {
  const pack = openPack();
  pack.entry({ name: 'manifest.json' }, text);
  pack.finalize();
  const file = path.join(home, 'hostile.colmeia');
  fs.writeFileSync(file, zlib.zstdCompressSync(await buffer(pack)));
  return file;
}

const refused =
  (words: RegExp) =>
  (error: unknown): boolean =>
    isColmeiaError(error, 'EXPORT_INVALID') && words.test(error.message);

test('a manifest that would fill the memory is refused before it is parsed', async () => {
  const MiB = 1024 * 1024;
  await assert.rejects(readManifest(await withManifest(Buffer.alloc(6 * MiB, '['))), refused(/more lists/));
  await assert.rejects(readManifest(await withManifest(`[${'[],'.repeat(MiB)}1]`)), refused(/more lists/));
  const large = await withManifest(Buffer.alloc(20 * MiB, ' '));
  assert.ok(fs.statSync(large).size < 64 * 1024);
  await assert.rejects(readManifest(large), refused(/too large|more than it says/));
});

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { readLines } from './read-lines.ts';

let folder: string;
before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-lines-'))));
after(() => fs.rmSync(folder, { recursive: true }));

async function linesOf(content: string | Buffer, most = 1_000_000): Promise<string[]> {
  const file = path.join(folder, 'lines');
  fs.writeFileSync(file, content);
  const lines: string[] = [];
  for await (const line of readLines(file, most, () => new RangeError('too long'))) lines.push(line);
  return lines;
}

test('lines come as they were written, wherever the reading cuts them', async () => {
  const line = fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replaceAll(/[\r\n]/g, ''));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 30 }), fc.constantFrom('\n', '\r\n'), async (lines, end) => {
      assert.deepEqual(await linesOf(lines.map((text) => text + end).join('')), lines);
    }),
    { numRuns: 50 },
  );
  const long = ['é'.repeat(100_000), '', 'x'.repeat(70_000), 'last without an end'];
  assert.deepEqual(await linesOf(long.join('\n')), long);
});

test('a line that is too long is told before it is held in memory', async () => {
  assert.deepEqual(await linesOf('12345\n12345', 5), ['12345', '12345']);
  await assert.rejects(linesOf('12345\n123456\n', 5), RangeError);
  await assert.rejects(linesOf(Buffer.alloc(200_000, 'x'), 100_000), RangeError);
});

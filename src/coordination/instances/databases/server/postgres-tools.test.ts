import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { runPostgresTool } from './postgres-tools.ts';

let folder: string;
before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-tools-'))));
after(() => fs.rmSync(folder, { recursive: true }));

const noShell = process.platform === 'win32' ? 'needs a shell' : false;
test('a tool gets its password by a file alone, which is gone when it has ended', { skip: noShell }, async () => {
  const [tool, seen] = [path.join(folder, 'pg_dump'), path.join(folder, 'seen')];
  fs.writeFileSync(tool, `#!/bin/sh\necho "$@" > ${seen}\nenv >> ${seen}\ncat "$PGPASSFILE" > ${seen}.file\n`, {
    mode: 0o700,
  });
  const { signal } = new AbortController();
  for (const url of [
    'postgresql://me:pass%3Aword@db:5432/x',
    'postgresql://me@db:5432/x?password=pass%3Aword&sslmode=require',
  ]) {
    await runPostgresTool(tool, ['--format=directory'], { url, workFolder: folder, signal });
    const told = fs.readFileSync(seen, 'utf8');
    assert.match(told, /--format=directory/);
    assert.doesNotMatch(told, /pass(:|%3A)word/i, url);
    assert.equal(fs.readFileSync(`${seen}.file`, 'utf8'), '*:*:*:*:pass\\:word\n');
    assert.deepEqual(fs.readdirSync(folder).sort(), ['pg_dump', 'seen', 'seen.file']);
  }
});

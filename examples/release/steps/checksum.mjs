// Writes the checksum index. Another tool may hold its lock: then this attempt gives way, and the next one looks again.
// A lock that nobody has touched since the last attempt belongs to nobody, and is taken over.
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { digestOf, fail, filesOf, finish, TRY_AGAIN } from './step.mjs';

const LOCK = 'build/checksums.lock';
const SEEN = 'build/checksums.lock.seen';

if (existsSync(LOCK)) {
  const touchedAt = String(statSync(LOCK).mtimeMs);
  const sinceLastLook =
    existsSync(SEEN) && readFileSync(SEEN, 'utf8') === touchedAt ? Date.now() - statSync(SEEN).mtimeMs : 0;
  if (sinceLastLook < 250) {
    if (sinceLastLook === 0) writeFileSync(SEEN, touchedAt);
    fail(TRY_AGAIN, `the checksum index is locked (${readFileSync(LOCK, 'utf8').trim()})`);
  }
  rmSync(LOCK);
}
const files = filesOf('build').filter((file) => !file.startsWith('checksums'));
writeFileSync('build/checksums.txt', files.map((file) => `${digestOf(`build/${file}`)}  ${file}\n`).join(''));
rmSync(SEEN, { force: true });
finish({ files: files.length, index: digestOf('build/checksums.txt').slice(0, 12) });

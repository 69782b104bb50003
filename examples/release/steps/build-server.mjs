// Builds the server: its modules with the version filled in, each of them checked by Node.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { filesOf, finish } from './step.mjs';

const { version } = JSON.parse(readFileSync('source/package.json', 'utf8'));
mkdirSync('build/server', { recursive: true });
for (const file of filesOf('source/server')) {
  writeFileSync(
    `build/server/${file}`,
    readFileSync(`source/server/${file}`, 'utf8').replaceAll('__VERSION__', version),
  );
}
writeFileSync('build/server/package.json', JSON.stringify({ type: 'module' }));
execFileSync(process.execPath, ['--check', 'build/server/main.js'], { stdio: 'inherit' });
finish({ version, modules: filesOf('build/server').length });

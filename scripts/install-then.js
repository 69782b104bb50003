// Plain JavaScript, because it runs on whatever Node the host has: installs what the lock file pins, then hands over
// to the pinned Node. `npm start`, `npm test` and `npm run instance:…` on a fresh clone come through here.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(root, 'node_modules');
const stamp = path.join(modules, '.package-lock.json');
const time = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (time(stamp) < time(path.join(root, 'package-lock.json'))) {
  console.log('Installing what package-lock.json pins (once) …');
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const done = spawnSync(npm[0], [...npm.slice(1), 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (done.status !== 0) process.exit(done.status ?? 1);
}

const [what, ...rest] = process.argv.slice(2);
const commands = {
  start: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=16', 'src/main.ts'],
  test: ['scripts/test.ts'],
  colmeia: ['--disable-warning=ExperimentalWarning', 'src/interfaces/cli/colmeia.ts'],
};
// `npm run seed --instance=acme`: npm keeps what stands before a `--` for itself, and says it here.
const company = process.env.npm_config_instance;
if (what === 'colmeia' && company) rest.push('--instance', company);
const node = path.join(modules, '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
const child = spawn(fs.realpathSync(node), [...commands[what], ...rest], { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));

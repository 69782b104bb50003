// Unpacks the archive as a release of the company and makes it the current one. argv: the folder of all deployments.
// `deploy.mjs <folder> undo` takes the release away again and returns to the one before.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { finish, nameFrom, parameters } from './step.mjs';

const [, , root, mode] = process.argv;
const app = join(root, nameFrom(process.env.COLMEIA_INSTANCE, 'the company'), nameFrom(parameters.app, 'app'));
// One release for each plan: a repeated attempt writes the same folder, and the undo finds it again.
const release = createHash('sha256').update(process.env.COLMEIA_PLAN_ID).digest('hex').slice(0, 12);
const folder = join(app, 'releases', release);
const current = join(app, 'current');

function pointTo(target) {
  if (target === null) return rmSync(current, { force: true });
  symlinkSync(target, `${current}.new`);
  renameSync(`${current}.new`, current);
}

function deploy() {
  const { name, version } = JSON.parse(readFileSync('source/package.json', 'utf8'));
  const before = existsSync(current) ? readlinkSync(current) : null;
  const target = join('releases', release);
  rmSync(folder, { recursive: true, force: true });
  rmSync(`${current}.new`, { force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', `build/${name}-${version}.tar.gz`, '-C', folder]);
  if (before !== target) writeFileSync(join(app, `${release}.before.json`), JSON.stringify(before));
  pointTo(target);
  finish({ folder, version, before });
}

function undo() {
  const note = join(app, `${release}.before.json`);
  const before = existsSync(note) ? JSON.parse(readFileSync(note, 'utf8')) : null;
  rmSync(`${current}.new`, { force: true });
  if (existsSync(current) && readlinkSync(current) === join('releases', release)) pointTo(before);
  rmSync(folder, { recursive: true, force: true });
  rmSync(note, { force: true });
  finish({ removed: folder, current: before });
}

if (mode === 'undo') undo();
else deploy();

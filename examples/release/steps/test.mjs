// Runs the tests of the sources with Node's own test runner.
import { spawnSync } from 'node:child_process';
import { filesOf, fail, finish, WRONG_DATA } from './step.mjs';

const files = filesOf('source/test').map((file) => `source/test/${file}`);
const run = spawnSync(process.execPath, ['--test', '--test-isolation=none', '--test-reporter=tap', ...files], {
  encoding: 'utf8',
});
const count = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(run.stdout)?.[1] ?? 0);
for (const line of run.stdout.split('\n')) if (/^\s*(not )?ok /.test(line)) console.log(line.trim());
if (run.status !== 0 || count('pass') === 0) fail(WRONG_DATA, `${count('fail')} tests fail`);
finish({ passed: count('pass'), failed: count('fail') });

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { failureOf } from './attempt.testing.ts';
import { CommandHome, commandTicket, sh } from './command-home.testing.ts';
import { isSameProcess, startTimeOf } from './end-process-tree.ts';

const home = new CommandHome();
const plans = home.plansOf('acme');
const adapterOf = home.adapterOf.bind(home);
const attempt = home.attempt.bind(home);
after(() => home.close());

/** Sleeps of this test, and of no other process on the machine. */
const SLEEP = `60.${process.pid}`;
/** Every way of getting away that a command has without clearing its environment as well. Each writes its pid. */
const ESCAPES = `
sleep ${SLEEP} & echo $! >> pids
nohup sleep ${SLEEP} >/dev/null 2>&1 & echo $! >> pids
setsid sh -c 'echo $$ >> pids; exec sleep ${SLEEP}' &
(setsid sh -c 'echo $$ >> pids; exec sleep ${SLEEP}' & )
sh -c 'trap "" TERM; echo $$ >> pids; sleep ${SLEEP}; sleep ${SLEEP}' &
env -i PATH="$PATH" setsid sh -c 'echo $$ >> pids; exec sleep ${SLEEP}' &
sleep 0.3
`;

/** Pids inside a namespace mean nothing outside: what is left is found by its working folder, or by what it sleeps. */
function alive(folder: string): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => {
    try {
      return (
        readFileSync(`/proc/${pid}/environ`, 'latin1').includes(folder) ||
        readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`sleep\0${SLEEP}`)
      );
    } catch {
      return false;
    }
  });
}

describe('ending a tree', { skip: process.platform !== 'linux' }, () => {
  for (const isolate of ['files', 'processes', 'none'] as const) {
    const how = `shut in as "${isolate}"`;
    test(`a timeout ends everything that was started, ${how}`, async () => {
      const adapter = adapterOf({ default: { argv: sh(`${ESCAPES} sleep 60`), timeout_ms: 600 } }, { isolate });
      const ticket = commandTicket({}, { plan_id: `timeout-${isolate}` });
      const error = await failureOf(attempt(adapter, ticket).result);
      assert.equal(error.errorClass, 'timeout');
      assert.equal(error.message.split(':')[0], 'command "default" was ended after 600 ms');
      const folder = join(plans, `timeout-${isolate}`);
      assert.equal(readFileSync(join(folder, 'pids'), 'utf8').trim().split('\n').length, 6);
      assert.deepEqual(alive(folder), []);
    });

    test(`a command that ends leaves nothing in the background, and does not wait for it, ${how}`, async () => {
      const ticket = commandTicket({}, { plan_id: `end-${isolate}` });
      const startedAt = Date.now();
      assert.deepEqual(await attempt(adapterOf(sh(`${ESCAPES} echo '{"ok":1}'`), { isolate }), ticket).result, {
        ok: '1',
      });
      assert.ok(Date.now() - startedAt < 5_000);
      assert.deepEqual(alive(join(plans, `end-${isolate}`)), []);
    });

    test(`a cancelled command may tidy up before it is killed, ${how}`, async () => {
      const ticket = commandTicket({}, { plan_id: `cancel-${isolate}` });
      const run = attempt(
        adapterOf(sh('trap "echo tidy > tidied; exit 0" TERM; echo up; while :; do sleep 0.05; done'), { isolate }),
        ticket,
      );
      while (!run.logs.includes('up')) await new Promise((resolve) => setTimeout(resolve, 10));
      run.stop('cancelled');
      assert.match((await failureOf(run.result)).message, /was cancelled/);
      assert.equal(readFileSync(join(plans, `cancel-${isolate}`, 'tidied'), 'utf8'), 'tidy\n');
    });
  }

  test('the ticket’s own limit counts when it is shorter', async () => {
    const ticket = commandTicket({}, { sla: { deadline: 0, timeout_ms: 150, max_retries: 0 } });
    const error = await failureOf(attempt(adapterOf(sh('sleep 60')), ticket).result);
    assert.equal(error.errorClass, 'timeout');
  });

  test('a pid that belongs to somebody else by now is not touched', () => {
    const startTime = startTimeOf(process.pid)!;
    assert.ok(isSameProcess(process.pid, startTime));
    assert.ok(!isSameProcess(process.pid, `${startTime}1`));
  });

  test('when the helper dies, its commands end with the attempt, and the next attempt gets a new helper', async () => {
    const adapter = adapterOf(sh('echo up; sleep 60'), { isolate: 'none' });
    const ticket = commandTicket({}, { plan_id: 'helper-dies' });
    const run = attempt(adapter, ticket);
    while (!run.logs.includes('up')) await new Promise((resolve) => setTimeout(resolve, 10));
    process.kill(home.host.helperPid!, 'SIGKILL');
    assert.equal((await failureOf(run.result)).errorClass, 'transient');
    assert.deepEqual(alive(join(plans, 'helper-dies')), []);
    assert.deepEqual(await attempt(adapterOf(sh('echo "{}"'))).result, {});
  });
});

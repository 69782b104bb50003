import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { failureOf } from './attempt.testing.ts';
import { CommandHome, commandTicket, sh } from './command-home.testing.ts';

const home = new CommandHome();
const { root } = home;
const adapterOf = home.adapterOf.bind(home);
const attempt = home.attempt.bind(home);
after(() => home.close());

describe('what goes in', () => {
  test('parameters come as JSON on standard input, the ticket as a file', async () => {
    const adapter = adapterOf(
      sh('printf \'{"in":%s,"id":"%s"}\\n\' "$(cat)" "$(grep -o "t-1" "$COLMEIA_TICKET_FILE")"'),
    );
    assert.deepEqual(await attempt(adapter, commandTicket({ a: 'ü"\n' })).result, { in: '{"a":"ü\\"\\n"}', id: 't-1' });
  });

  test('the environment is clean: no name or value of the parent is in it unless it was allowed', async () => {
    const script = 'console.log(JSON.stringify({ env: process.env }))';
    const seen = JSON.parse((await attempt(adapterOf(['{node}', '-e', script])).result).env!) as Record<string, string>;
    const names = [
      'AGENT_ID',
      'ATTEMPT',
      'INSTANCE',
      'LEASE_ID',
      'OUTPUT_FILE',
      'PLAN_ID',
      'RUN',
      'TASK_ID',
      'TASK_TYPE',
      'TICKET_FILE',
      'TICKET_ID',
    ];
    const expected = ['HOME', 'LANG', 'PATH', ...names.map((name) => `COLMEIA_${name}`)];
    assert.deepEqual(
      Object.keys(seen)
        .filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name))
        .sort(),
      expected.sort(),
    );
    assert.equal(seen.HOME, join(home.plansOf('acme'), 'p-1'));
    assert.ok(!JSON.stringify(seen).includes('secret'));
  });

  test('an allowed variable arrives, and its value is masked in outputs, logs and errors', async () => {
    const adapter = adapterOf(
      sh('echo "token $ALLOWED_TOKEN" >&2; [ -n "$ALLOWED_TOKEN" ] && echo "{\\"t\\":\\"$ALLOWED_TOKEN\\"}"'),
      { env: ['ALLOWED_TOKEN'] },
    );
    const run = attempt(adapter);
    assert.deepEqual(await run.result, { t: '***' });
    assert.ok(run.logs.includes('token ***'), run.logs.join());
    const error = await failureOf(
      attempt(adapterOf(sh('echo "$ALLOWED_TOKEN" >&2; exit 3'), { env: ['ALLOWED_TOKEN'] })).result,
    );
    assert.match(error.message, /\*\*\*/);
    assert.doesNotMatch(error.message, /token-0/);
  });

  test('values of a plan are data: nothing in them is run, whatever they hold', async () => {
    const canary = join(root, 'canary');
    const evil = [
      `$(touch ${canary})`,
      `\`touch ${canary}\``,
      `; touch ${canary} #`,
      `'"; touch ${canary}`,
      `\n touch ${canary}\n`,
      '-e',
      '--eval=1',
      '{home}',
      '\0',
    ];
    const parameters = Object.fromEntries(evil.map((value, n) => [n % 2 ? `k${n}` : value, value]));
    const adapter = adapterOf(sh('cat >/dev/null; echo "{\\"task\\":\\"ok\\"}"'));
    const ticket = commandTicket(parameters, {
      task_id: `a\0$(touch ${canary})`,
      ticket_id: evil[2]!,
      metadata: { instance: evil[0]! },
      plan_id: evil[3]!,
    });
    assert.deepEqual(await attempt(adapter, ticket).result, { task: 'ok' });
    assert.ok(!existsSync(canary));
  });

  test('a plan chooses only among configured names', async () => {
    const commands = { build: sh('echo "{\\"did\\":\\"build\\"}"'), undo: sh('echo "{\\"did\\":\\"undo\\"}"') };
    const adapter = adapterOf(commands, { choose_by: { parameter: 'step' } });
    assert.deepEqual(await attempt(adapter, commandTicket({ step: 'build' })).result, { did: 'build' });
    assert.deepEqual(
      await attempt(adapter, commandTicket({ step: 'build', action: 'undo' }, { task_type: 'COMPENSATE' })).result,
      { did: 'undo' },
    );
    for (const step of ['/bin/sh', '../build', 'constructor', '__proto__', 'build ', '']) {
      const error = await failureOf(attempt(adapter, commandTicket({ step })).result);
      assert.equal(error.errorClass, 'poison');
    }
    const undone = await failureOf(
      attempt(adapter, commandTicket({ step: 'build', action: 'nothing' }, { task_type: 'COMPENSATE' })).result,
    );
    assert.match(undone.message, /no command "nothing"/);
  });

  test('working folders stay inside the work root, one for each company and plan', async () => {
    const adapter = adapterOf(sh('echo "{\\"at\\":\\"$PWD\\"}"'));
    const seen = new Set<string>();
    for (const [instance, plan] of [
      ['..', '..'],
      ['../../etc', '/tmp/x'],
      ['A', 'p'],
      ['a', 'p'],
      ['.', 'con.'],
      ['a/b', 'x'.repeat(300)],
      ['a~b', 'p'],
    ]) {
      const { at } = await attempt(adapter, commandTicket({}, { plan_id: plan!, metadata: { instance: instance! } }))
        .result;
      assert.match(at!, new RegExp(`^${join(root, 'work')}/[a-z0-9~_-]+/plans/[a-z0-9~_-]+$`));
      seen.add(at!.toLowerCase());
    }
    assert.equal(seen.size, 7);
  });
});

describe('what comes out', () => {
  test('the last line that is a JSON object is the output; the rest is log', async () => {
    const run = attempt(
      adapterOf(sh('echo one; echo "{\\"n\\":1}"; echo "{\\"n\\":2,\\"list\\":[1]}"; echo "{not json}"; echo two')),
    );
    assert.deepEqual(await run.result, { n: '2', list: '[1]' });
    assert.deepEqual(run.logs, ['one', '{"n":1}', '{"n":2,"list":[1]}', '{not json}', 'two']);
  });

  test('an output file wins; one that is no plain file, too large or no object is poison', async () => {
    assert.deepEqual(
      await attempt(adapterOf(sh('echo "{\\"a\\":1}"; echo "{\\"b\\":2}" > "$COLMEIA_OUTPUT_FILE"'))).result,
      { b: '2' },
    );
    for (const script of [
      'ln -s /etc/hostname "$COLMEIA_OUTPUT_FILE"',
      'mkfifo "$COLMEIA_OUTPUT_FILE"',
      'echo "[1]" > "$COLMEIA_OUTPUT_FILE"',
      'head -c 5000 /dev/zero > "$COLMEIA_OUTPUT_FILE"',
    ]) {
      assert.equal(
        (await failureOf(attempt(adapterOf(sh(script), { keep_bytes: 2_000 })).result)).errorClass,
        'poison',
        script,
      );
    }
  });

  test('output without end is bounded: the last bytes are kept, and logs say how much is left out', async () => {
    const run = attempt(
      adapterOf(
        sh('yes 0123456789 | head -c 20000000; head -c 3000000 /dev/zero | tr "\\0" x; echo; echo "{\\"done\\":true}"'),
        { keep_bytes: 10_000 },
      ),
    );
    assert.deepEqual(await run.result, { done: 'true' });
    assert.ok(run.logs.length < 20_000);
    assert.ok(run.logs.every((line) => line.length <= 4_001));
    const folder = join(root, 'runs', run.leaseId);
    assert.equal(readFileSync(join(folder, 'stdout')).length, 10_000);
  });

  test('exit codes have classes, which the operator can change', async () => {
    const classes = { 1: 'transient', 75: 'transient', 77: 'auth', 65: 'poison', 64: 'poison', 127: 'poison' };
    for (const [code, errorClass] of Object.entries(classes)) {
      assert.equal((await failureOf(attempt(adapterOf(sh(`exit ${code}`))).result)).errorClass, errorClass, code);
    }
    const error = await failureOf(
      attempt(adapterOf(sh('echo out; echo "no money" >&2; exit 9'), { exit_classes: { 9: 'quota' } })).result,
    );
    assert.equal(error.errorClass, 'quota');
    assert.equal(error.message, 'command "default" ended with exit code 9: no money');
  });

  test('a signal is a timeout; a program that is not there is poison', async () => {
    for (const isolate of ['files', 'processes', 'none'] as const) {
      assert.equal(
        (await failureOf(attempt(adapterOf(sh('kill -SEGV $$'), { isolate })).result)).errorClass,
        'timeout',
      );
      assert.equal(
        (await failureOf(attempt(adapterOf(['/no/such/program'], { isolate })).result)).errorClass,
        'poison',
      );
    }
  });

  test('what a run leaves in its folder goes when its result is settled', async () => {
    const adapter = adapterOf(sh('true'));
    const run = attempt(adapter);
    await run.result;
    assert.deepEqual(await adapter.held(), [], 'what somebody waits for is not taken up');
    home.restartHost();
    assert.deepEqual(
      (await adapter.held()).filter((lease) => lease.lease_id === run.leaseId).map((lease) => lease.fencing_token),
      [7],
    );
    await adapter.settled(run.leaseId);
    assert.ok(!existsSync(join(root, 'runs', run.leaseId)));
  });
});

test('folders of plans go when they have not been used for long', async () => {
  const adapter = adapterOf(sh('true'), { work_root: join(root, 'old-work') });
  const plans = join(root, 'old-work/acme/plans');
  for (const name of ['old', 'new']) mkdirSync(join(plans, name), { recursive: true });
  writeFileSync(join(root, 'outside'), '');
  symlinkSync(join(root, 'outside'), join(plans, 'old/link'));
  utimesSync(join(plans, 'old'), 1, 1);
  await adapter.sweep(Date.now());
  assert.deepEqual(readdirSync(plans), ['new']);
  assert.ok(existsSync(join(root, 'outside')));
});

import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import type { ProcessAgentConfig } from './agent-config.ts';
import { AgentError, AttemptStopped } from './agent-error.ts';
import { isSameProcess, startTimeOf } from './end-process-tree.ts';
import { parseAgentConfig } from './parse-agent-config.ts';
import { ProcessAdapter } from './process-adapter.ts';
import { isolationWay } from './process-isolation.ts';
import { ProcessHost } from './process-host.ts';
import { safeName } from './process-run.ts';

let root: string;
let host: ProcessHost;
let leases = 0;

before(() => {
  root = mkdtempSync(join(tmpdir(), 'colmeia-process-'));
  host = new ProcessHost({ PATH: process.env.PATH! }, root);
});
after(() => {
  host.close();
  rmSync(root, { recursive: true, force: true });
});

const ENV = {
  PATH: process.env.PATH!,
  LANG: 'C',
  COLMEIA_KEY: 'key-of-the-operator',
  DATABASE_URL: 'postgres://secret',
  ALLOWED_TOKEN: 'token-0123456789',
};

function ticketOf(parameters: Record<string, string> = {}, more: Partial<ExecutionTicket> = {}): ExecutionTicket {
  return {
    ticket_id: 't-1',
    plan_id: 'p-1',
    intent_id: 'i',
    decision_id: 'd',
    correlation_id: null,
    trace_id: null,
    span_id: null,
    task_id: 'task',
    task_type: 'EXECUTE',
    description: '',
    dependencies: [],
    status: 'RUNNING',
    priority: 'NORMAL',
    risk_band: 'low',
    sla: { deadline: Date.now() + 60_000, timeout_ms: 60_000, max_retries: 1 },
    qos: { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' },
    parameters,
    required_capabilities: [],
    security_level: 'INTERNAL',
    created_at: 0,
    started_at: null,
    completed_at: null,
    estimated_duration_ms: null,
    actual_duration_ms: null,
    retry_count: 0,
    error_message: null,
    compensation_ticket_id: null,
    metadata: { instance: 'acme' },
    schema_version: 1,
    ...more,
  };
}

function adapterOf(argv: string[] | Record<string, unknown>, more: Partial<ProcessAgentConfig> = {}): ProcessAdapter {
  const commands = Array.isArray(argv) ? { default: argv } : argv;
  const { agents } = parseAgentConfig(
    [
      {
        agent_id: 'a',
        kind: 'process',
        task_types: ['EXECUTE'],
        commands,
        stop_grace_ms: 200,
        isolate: 'processes',
        ...more,
      },
    ],
    root,
  );
  return new ProcessAdapter({ config: agents[0] as ProcessAgentConfig, folder: root, home: root, host, env: ENV });
}

type Attempt = {
  result: Promise<Record<string, string>>;
  logs: string[];
  leaseId: string;
  stop: (why: AttemptStopped['why']) => void;
};

function attempt(adapter: ProcessAdapter, ticket = ticketOf()): Attempt {
  const controller = new AbortController();
  const logs: string[] = [];
  const leaseId = `lease-${leases++}`;
  const context = {
    signal: controller.signal,
    attempt: 1,
    leaseId,
    fencingToken: 7,
    progress: () => {},
    metadata: () => {},
    log: (line: string) => void logs.push(line),
  };
  return {
    result: adapter.run(ticket, context),
    logs,
    leaseId,
    stop: (why) => controller.abort(new AttemptStopped(why)),
  };
}

const sh = (script: string): string[] => ['sh', '-c', script];
const node = (script: string): string[] => ['{node}', '-e', script];
const failure = async (result: Promise<unknown>): Promise<AgentError> => {
  const error = await result.then(
    () => assert.fail('it should have failed'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AgentError, String(error));
  return error;
};

describe('what goes in', () => {
  test('parameters come as JSON on standard input, the ticket as a file', async () => {
    const adapter = adapterOf(
      sh('printf \'{"in":%s,"id":"%s"}\\n\' "$(cat)" "$(grep -o "t-1" "$COLMEIA_TICKET_FILE")"'),
    );
    assert.deepEqual(await attempt(adapter, ticketOf({ a: 'ü"\n' })).result, { in: '{"a":"ü\\"\\n"}', id: 't-1' });
  });

  test('the environment is clean: no name or value of the parent is in it unless it was allowed', async () => {
    const script = 'console.log(JSON.stringify({ env: process.env }))';
    const seen = JSON.parse((await attempt(adapterOf(node(script))).result).env!) as Record<string, string>;
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
    assert.equal(seen.HOME, join(root, 'work/acme/plans/p-1'));
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
    const error = await failure(
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
    const ticket = ticketOf(parameters, {
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
    assert.deepEqual(await attempt(adapter, ticketOf({ step: 'build' })).result, { did: 'build' });
    assert.deepEqual(
      await attempt(adapter, ticketOf({ step: 'build', action: 'undo' }, { task_type: 'COMPENSATE' })).result,
      { did: 'undo' },
    );
    for (const step of ['/bin/sh', '../build', 'constructor', '__proto__', 'build ', '']) {
      const error = await failure(attempt(adapter, ticketOf({ step })).result);
      assert.equal(error.errorClass, 'poison');
    }
    const undone = await failure(
      attempt(adapter, ticketOf({ step: 'build', action: 'nothing' }, { task_type: 'COMPENSATE' })).result,
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
      const { at } = await attempt(adapter, ticketOf({}, { plan_id: plan!, metadata: { instance: instance! } })).result;
      assert.match(at!, new RegExp(`^${root}/work/[a-z0-9~_-]+/plans/[a-z0-9~_-]+$`));
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
        (await failure(attempt(adapterOf(sh(script), { keep_bytes: 2_000 })).result)).errorClass,
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
      assert.equal((await failure(attempt(adapterOf(sh(`exit ${code}`))).result)).errorClass, errorClass, code);
    }
    const error = await failure(
      attempt(adapterOf(sh('echo out; echo "no money" >&2; exit 9'), { exit_classes: { 9: 'quota' } })).result,
    );
    assert.equal(error.errorClass, 'quota');
    assert.equal(error.message, 'command "default" ended with exit code 9: no money');
  });

  test('a signal is a timeout; a program that is not there is poison', async () => {
    for (const isolate of ['files', 'processes', 'none'] as const) {
      assert.equal((await failure(attempt(adapterOf(sh('kill -SEGV $$'), { isolate })).result)).errorClass, 'timeout');
      assert.equal((await failure(attempt(adapterOf(['/no/such/program'], { isolate })).result)).errorClass, 'poison');
    }
  });

  test('what a run leaves in its folder goes when its result is settled', async () => {
    const adapter = adapterOf(sh('true'));
    const run = attempt(adapter);
    await run.result;
    assert.deepEqual(await adapter.held(), [], 'what somebody waits for is not taken up');
    host.close();
    host = new ProcessHost({ PATH: process.env.PATH! }, root);
    assert.deepEqual(
      (await adapter.held()).filter((lease) => lease.lease_id === run.leaseId).map((lease) => lease.fencing_token),
      [7],
    );
    await adapter.settled(run.leaseId);
    assert.ok(!existsSync(join(root, 'runs', run.leaseId)));
  });
});

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

describe(
  'what a command can see',
  { skip: isolationWay('files').isolation !== 'files' && 'this machine has no namespaces' },
  () => {
    test('nothing of the control plane, of other companies or of other plans; and it cannot undo that', async () => {
      writeFileSync(join(root, 'operator.key'), 'the-key');
      writeFileSync(join(root, '.env'), 'PASSWORD=hidden-password');
      const other = adapterOf(sh('echo theirs > file'), { isolate: 'files' });
      await attempt(other, ticketOf({}, { plan_id: 'p-other' })).result;
      await attempt(other, ticketOf({}, { metadata: { instance: 'globex' } })).result;
      const script = `
      for path in ${root}/operator.key ${root}/work/acme/plans/p-other/file ${root}/work/globex/plans/p-1/file; do cat $path 2>/dev/null && echo SEEN; done
      umount ${root} 2>/dev/null && echo UMOUNTED
      mount --bind / ${root} 2>/dev/null && echo MOUNTED
      ls -R ${root} > seen; cat /proc/${process.pid}/environ 2>/dev/null && echo ENVIRON
      kill -0 ${process.pid} 2>/dev/null && echo SIGNALLED
      cat ${root}/operator.key 2>/dev/null; echo own > own; cd /tmp; cat "$HOME/own" "$COLMEIA_TICKET_FILE" > /dev/null && echo '{"ok":1}'`;
      const run = attempt(adapterOf(sh(script), { isolate: 'files', hidden: [join(root, '.env')] }));
      assert.deepEqual(await run.result, { ok: '1' });
      assert.deepEqual(run.logs, ['{"ok":1}']);
      const seen = readFileSync(join(root, 'work/acme/plans/p-1/seen'), 'utf8');
      assert.doesNotMatch(seen, /operator|globex|p-other|\.env/);
      assert.equal(readFileSync(join(root, 'work/acme/plans/p-1/own'), 'utf8'), 'own\n');
    });

    test('what the operator names: folders of the command line, further ones within the home, and files outside are hidden', async () => {
      mkdirSync(join(root, 'scripts'));
      writeFileSync(join(root, 'scripts/lib.mjs'), 'export const text = "from beside";');
      writeFileSync(
        join(root, 'scripts/main.mjs'),
        'import { text } from "./lib.mjs"; console.log(JSON.stringify({ text }));',
      );
      assert.deepEqual(await attempt(adapterOf(['{node}', '{home}/scripts/main.mjs'], { isolate: 'files' })).result, {
        text: 'from beside',
      });
      await attempt(
        adapterOf(sh(`echo kept > ${root}/deployed/file`), { isolate: 'files', visible: ['{home}/deployed'] }),
      ).result;
      assert.equal(readFileSync(join(root, 'deployed/file'), 'utf8'), 'kept\n');
      const outside = mkdtempSync(join(tmpdir(), 'colmeia-outside-'));
      writeFileSync(join(outside, 'secret'), 'x');
      const run = attempt(
        adapterOf(sh(`echo "{\\"size\\":$(cat ${outside}/secret | wc -c)}"`), {
          isolate: 'files',
          hidden: [join(outside, 'secret')],
        }),
      );
      assert.deepEqual(await run.result, { size: '0' });
      rmSync(outside, { recursive: true });
    });
  },
);

describe('ending a tree', { skip: process.platform !== 'linux' }, () => {
  for (const isolate of ['files', 'processes', 'none'] as const) {
    const how = `shut in as "${isolate}"`;
    test(`a timeout ends everything that was started, ${how}`, async () => {
      const adapter = adapterOf({ default: { argv: sh(`${ESCAPES} sleep 60`), timeout_ms: 600 } }, { isolate });
      const ticket = ticketOf({}, { plan_id: `timeout-${isolate}` });
      const error = await failure(attempt(adapter, ticket).result);
      assert.equal(error.errorClass, 'timeout');
      assert.equal(error.message.split(':')[0], 'command "default" was ended after 600 ms');
      const folder = join(root, 'work/acme/plans', `timeout-${isolate}`);
      assert.equal(readFileSync(join(folder, 'pids'), 'utf8').trim().split('\n').length, 6);
      assert.deepEqual(alive(folder), []);
    });

    test(`a command that ends leaves nothing in the background, and does not wait for it, ${how}`, async () => {
      const ticket = ticketOf({}, { plan_id: `end-${isolate}` });
      const startedAt = Date.now();
      assert.deepEqual(await attempt(adapterOf(sh(`${ESCAPES} echo '{"ok":1}'`), { isolate }), ticket).result, {
        ok: '1',
      });
      assert.ok(Date.now() - startedAt < 5_000);
      assert.deepEqual(alive(join(root, 'work/acme/plans', `end-${isolate}`)), []);
    });

    test(`a cancelled command may tidy up before it is killed, ${how}`, async () => {
      const ticket = ticketOf({}, { plan_id: `cancel-${isolate}` });
      const run = attempt(
        adapterOf(sh('trap "echo tidy > tidied; exit 0" TERM; echo up; while :; do sleep 0.05; done'), { isolate }),
        ticket,
      );
      while (!run.logs.includes('up')) await new Promise((resolve) => setTimeout(resolve, 10));
      run.stop('cancelled');
      assert.match((await failure(run.result)).message, /was cancelled/);
      assert.equal(readFileSync(join(root, 'work/acme/plans', `cancel-${isolate}`, 'tidied'), 'utf8'), 'tidy\n');
    });
  }

  test('the ticket’s own limit counts when it is shorter', async () => {
    const ticket = ticketOf({}, { sla: { deadline: 0, timeout_ms: 150, max_retries: 0 } });
    const error = await failure(attempt(adapterOf(sh('sleep 60')), ticket).result);
    assert.equal(error.errorClass, 'timeout');
  });

  test('a pid that belongs to somebody else by now is not touched', () => {
    const startTime = startTimeOf(process.pid)!;
    assert.ok(isSameProcess(process.pid, startTime));
    assert.ok(!isSameProcess(process.pid, `${startTime}1`));
  });

  test('when the helper dies, its commands end with the attempt, and the next attempt gets a new helper', async () => {
    const adapter = adapterOf(sh('echo up; sleep 60'), { isolate: 'none' });
    const ticket = ticketOf({}, { plan_id: 'helper-dies' });
    const run = attempt(adapter, ticket);
    while (!run.logs.includes('up')) await new Promise((resolve) => setTimeout(resolve, 10));
    process.kill(host.helperPid!, 'SIGKILL');
    assert.equal((await failure(run.result)).errorClass, 'transient');
    assert.deepEqual(alive(join(root, 'work/acme/plans/helper-dies')), []);
    assert.deepEqual(await attempt(adapterOf(sh('echo "{}"'))).result, {});
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

test('safe names never collide with names that were made safe', () => {
  assert.equal(safeName('acme-1.2'), 'acme-1.2');
  assert.match(safeName('Acme'), /^acme~[0-9a-f]{24}$/);
  assert.notEqual(safeName(safeName('Acme')), safeName('Acme'));
  assert.match(safeName(''), /^~/);
});

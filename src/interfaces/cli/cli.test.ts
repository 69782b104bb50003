import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runAgent, type RunningAgent } from '../../agent.ts';
import { createColmeia, localTransport, LOCAL_OPERATOR, type Colmeia } from '../../index.ts';
import { startHttpServer, type HttpServer } from '../http/server.ts';
import { runAt, worldAt, type More } from './cli.testing.ts';
import { buildProgram } from './program.ts';
import { Session } from './session.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-cli-'));
let colmeia: Colmeia;
let server: HttpServer;
let agent: RunningAgent;

before(async () => {
  colmeia = await createColmeia();
  server = await startHttpServer({ colmeia, port: 0 });
  fs.writeFileSync(
    path.join(home, 'operator.key'),
    (await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator' })).key,
  );
  fs.writeFileSync(path.join(home, 'address'), `${server.address}\n`);
  agent = runAgent({
    agentId: 'worker',
    taskTypes: ['BUILD', 'TEST', 'DEPLOY', 'EXECUTE', 'VALIDATE', 'QUERY', 'TRANSFORM', 'COMPENSATE'],
    capabilities: ['build', 'deploy'],
    concurrency: 4,
    transport: localTransport(colmeia),
    handleSignals: false,
    log: () => {},
    handler: (ticket) => {
      if (ticket.parameters.fail === 'yes') throw new Error('told to');
      return { did: ticket.task_id };
    },
  });
});
after(async () => {
  await agent.stop(100);
  await server.close();
  await colmeia.close();
  fs.rmSync(home, { recursive: true });
});

const cli = (args: string[], more: More = {}) => runAt(home, args, more);

type Json = Record<string, unknown>;
function decision(planId: string, change: { plan?: Json; tasks?: Json[] } = {}): string {
  const decision = JSON.parse(fs.readFileSync(path.join(ROOT, 'examples/release/decision.json'), 'utf8')) as Json;
  const plan = decision.cognitive_plan as Json & { tasks: Json[] };
  const tasks = change.tasks ?? plan.tasks.slice(0, 2);
  const execution_order = tasks.map((task) => task.task_id);
  return JSON.stringify({
    ...decision,
    plan_id: planId,
    decision_id: `d-${planId}`,
    cognitive_plan: { ...plan, plan_id: planId, tasks, execution_order, destructive_tasks: [], ...change.plan },
  });
}
const task = (id: string, more: Json = {}): Json => ({
  task_id: id,
  task_type: 'BUILD',
  description: id,
  dependencies: [],
  required_capabilities: [],
  parameters: {},
  metadata: {},
  ...more,
});

describe('colmeia run', () => {
  it('submits and watches to the end with one line for each thing that happens', async () => {
    const { exit, out, err } = await cli(['run', '-', '--watch'], { input: decision('watched') });
    assert.equal(exit, 0, err);
    assert.match(out, /^plan watched of default: /);
    assert.match(out, /ticket\.completed fetch/);
    assert.match(out, /plan watched completed in .*: 2 of 2 done\n$/);
  });

  it('prints one JSON document a line with --json', async () => {
    const { exit, out } = await cli(['run', '-', '--watch', '--json'], { input: decision('watched-json') });
    assert.equal(exit, 0);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(lines[0].plan_id, 'watched-json');
    assert.equal(lines.at(-1).plan.status, 'completed');
    assert.ok(lines.some((line) => line.type === 'ticket.completed'));
  });

  it('exits with 1 when the plan fails', async () => {
    const tasks = [task('bad', { parameters: { fail: 'yes' } })];
    const { exit, out } = await cli(['run', '-', '--watch'], {
      input: decision('failing', { tasks, plan: { risk_band: 'low' } }),
    });
    assert.equal(exit, 1);
    assert.match(out, /plan failing (failed|compensated)/);
  });

  it('says where a file is not JSON', async () => {
    const { exit, err } = await cli(['run', '-'], { input: '{\n  "a": 1,\n}' });
    assert.equal(exit, 2);
    assert.match(err, /standard input is not JSON: .*line 3/);
  });

  it('lists every fault of a decision with its path, and exits with 4', async () => {
    const tasks = [task('a', { dependencies: ['b'] }), task('c', { dependencies: ['nope'] })];
    const { exit, err } = await cli(['run', '-'], { input: decision('wrong', { tasks }) });
    assert.equal(exit, 4, err);
    assert.match(err, /INVALID_DECISION/);
    assert.match(err, /tasks\[0\]\.dependencies\[0\].*\n.*tasks\[1\]\.dependencies\[0\]/);
  });

  it('takes a bare plan and puts the company where the contract keeps it', async () => {
    const { cognitive_plan } = JSON.parse(decision('bare')) as { cognitive_plan: Json };
    const { exit, out, err } = await cli(['run', '-', '--watch', '--instance', 'default'], {
      input: JSON.stringify(cognitive_plan),
    });
    assert.equal(exit, 0, err);
    assert.match(out, /plan bare started\n[^]*plan bare completed/);
  });

  it('answers a batch line by line and exits with 4 when one was refused', async () => {
    const { exit, out } = await cli(['run', '-', '--json'], {
      input: `[${decision('batch-1')},${decision('batch-2', { tasks: [task('a', { dependencies: ['a'] })] })}]`,
    });
    assert.equal(exit, 4);
    assert.deepEqual(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).error?.code),
      [undefined, 'INVALID_DECISION'],
    );
  });
});

describe('colmeia lists', () => {
  it('prints a page and its cursor, and every page with --all', async () => {
    const page = JSON.parse((await cli(['plans', '--limit', '1', '--json'])).out);
    assert.equal(page.items.length, 1);
    const next = JSON.parse((await cli(['plans', '--limit', '1', '--after', page.next, '--json'])).out);
    assert.notEqual(next.items[0].plan_id, page.items[0].plan_id);
    const all = JSON.parse((await cli(['plans', '--all', '--limit', '1', '--json'])).out);
    assert.ok(all.items.length >= 4);
    assert.equal(all.next, null);
    assert.match((await cli(['plans', '--limit', '1'])).err, /--after \S+, or --all/);
  });

  it('filters', async () => {
    const { items } = JSON.parse(
      (await cli(['tickets', '--plan', 'watched', '--status', 'completed', '--all', '--json'])).out,
    );
    assert.deepEqual(items.map((ticket: Json) => ticket.task_id).toSorted(), ['build-server', 'fetch']);
  });

  it('says when nothing was found, on standard error', async () => {
    const { exit, out, err } = await cli(['plans', '--status', 'cancelled']);
    assert.deepEqual([exit, out, err], [0, '', 'Nothing found.\n']);
  });
});

describe('colmeia', () => {
  it('steers a plan, with the reason in the audit', async () => {
    await cli(['run', '-'], { input: decision('steered', { plan: { requires_approval: true } }) });
    assert.match((await cli(['plan', 'steered'])).out, /waits for +a person/);
    assert.match((await cli(['reject', 'steered'])).err, /--reason/);
    assert.equal((await cli(['approve', 'steered', '--reason', 'looked at it'])).exit, 0);
    assert.equal((await cli(['plan', 'steered', '--watch'])).exit, 0);
    assert.match((await cli(['audit', '--plan', 'steered', '--type', 'plan.approved'])).out, /looked at it/);
    const { exit, err } = await cli(['resume', 'steered']);
    assert.equal(exit, 4);
    assert.match(err, /PLAN_STATE/);
  });

  it('manages companies and keys', async () => {
    assert.equal((await cli(['instances', 'create', 'padaria', '--tier', 'gold'])).exit, 0);
    assert.equal((await cli(['instances', 'create', 'padaria'])).exit, 4);
    const key = (await cli(['keys', 'create', '--kind', 'company', '--instance', 'padaria'])).out.trim();
    const { items } = JSON.parse((await cli(['instances', '--json'], { env: { COLMEIA_KEY: key } })).out);
    assert.deepEqual(
      items.map((one: Json) => one.name),
      ['padaria'],
    );
    const { key_id } = JSON.parse((await cli(['keys', '--instance', 'padaria', '--json'])).out).items[0];
    assert.equal((await cli(['keys', 'revoke', key_id])).exit, 0);
    assert.equal((await cli(['instances'], { env: { COLMEIA_KEY: key } })).exit, 6);
  });

  it('shows agents, the server, and the audit', async () => {
    assert.match((await cli(['agents'])).out, /worker +all +service +active/);
    assert.equal(JSON.parse((await cli(['agent', 'show', 'worker', '--json'])).out).agent_id, 'worker');
    assert.equal((await cli(['health'])).exit, 0);
    assert.equal((await cli(['ready'])).exit, 0);
    assert.match((await cli(['metrics'])).out, /orchestration_/);
    assert.equal(typeof JSON.parse((await cli(['status', '--json'])).out).active_executions, 'number');
    const { exit, out } = await cli(['audit', 'verify']);
    assert.equal(exit, 0);
    assert.match(out, /default +whole/);
  });

  it('cordons an agent and shows what is known of it', async () => {
    assert.equal((await cli(['agents', 'cordon', 'worker'])).out, 'agent worker: cordoned\n');
    assert.match(
      (await cli(['agents', 'show', 'worker'])).out,
      /state +cordoned\n[^]*takes +BUILD [^]*version +\(none\)/,
    );
    assert.equal((await cli(['agent', 'uncordon', 'worker'])).out, 'agent worker: active\n');
    assert.equal((await cli(['agents', 'uncordon', 'nobody'])).exit, 3);
  });

  it('lists what waits for people, and takes their answers', async () => {
    for (const agent_id of ['ana', 'bob'])
      await colmeia.agents.register(LOCAL_OPERATOR, {
        agent_id,
        kind: 'person',
        task_types: ['EXECUTE'],
        capabilities: ['human'],
      });
    const task = (task_id: string) => ({
      ...(JSON.parse(decision('x')) as { cognitive_plan: { tasks: Json[] } }).cognitive_plan.tasks[0],
      task_id,
      task_type: 'EXECUTE',
      dependencies: [],
      required_capabilities: ['human'],
      description: `Please ${task_id}`,
    });
    await cli(['run', '-'], { input: decision('people', { tasks: ['sign', 'refuse'].map(task) }) });
    const item = async (id: string): Promise<{ ticket_id: string; agent_id: string }> => {
      for (;;) {
        const { items } = JSON.parse((await cli(['inbox', '--json'])).out) as { items: Json[] };
        const found = items.find(({ task_id }) => task_id === id);
        if (found !== undefined) return found as { ticket_id: string; agent_id: string };
      }
    };
    const sign = (await item('sign')).ticket_id;
    const refuse = (await item('refuse')).ticket_id;
    assert.match((await cli(['inbox'])).out, /DUE[^]* do +[^]*Please sign/);
    assert.match((await cli(['inbox', 'claim', sign, '--agent', 'bob'])).out, /in the inbox of bob/);
    const back = await cli(['inbox', 'return', sign, '--why', 'not mine']);
    assert.equal(back.out, `ticket ${sign}: PENDING\n`);
    assert.equal((await item('sign')).agent_id, 'ana');
    const done = await cli(['inbox', 'done', sign, '--output', 'signed=yes', '--output', 'by=ana=really']);
    assert.equal(done.out, `ticket ${sign}: COMPLETED\n`);
    const { result } = await colmeia.tickets.get(LOCAL_OPERATOR, sign);
    assert.deepEqual(result?.output, { signed: 'yes', by: 'ana=really' });
    assert.equal((await cli(['inbox', 'done', refuse, '--output', 'nothing'])).exit, 2);
    assert.equal((await cli(['inbox', 'fail', refuse])).exit, 2, 'it must say why');
    assert.equal((await cli(['inbox', 'fail', refuse, '--why', 'it is forged'])).exit, 0);
    assert.equal((await colmeia.tickets.get(LOCAL_OPERATOR, refuse)).error_message, 'it is forged');
    assert.equal((await cli(['inbox', 'done', refuse])).exit, 3);
  });

  it('prints events until interrupted', async () => {
    const stop = new AbortController();
    const following = cli(['events', '--follow', '--json', '--plan', 'followed'], { signal: stop.signal });
    const submit = cli(['run', '-', '--watch'], { input: decision('followed') });
    await submit;
    stop.abort();
    assert.equal((await following).exit, 0);
  });

  it('gives each kind of failure its exit code', async () => {
    assert.equal((await cli(['plan', 'nope'])).exit, 3);
    assert.equal((await cli(['plans'], { env: { COLMEIA_KEY: 'wrong' } })).exit, 6);
    assert.equal((await cli(['plans', '--address', 'http://127.0.0.1:1'])).exit, 5);
    assert.equal((await cli(['plans', '--home', path.join(home, 'none')])).exit, 5);
    assert.equal((await cli(['run', 'nope.json'])).exit, 2);
  });

  it('turns wrong arguments into what was meant', async () => {
    const wrong = async (...args: string[]): Promise<string> => {
      const { exit, err } = await cli(args);
      assert.equal(exit, 2, err);
      return err;
    };
    assert.match(await wrong('plns'), /Did you mean plans\?/);
    assert.match(await wrong('plans', '--statsu', 'x'), /Did you mean --status\?/);
    assert.match(await wrong('plans', '--status', 'runing'), /Did you mean running\?.*Allowed: received/);
    assert.match(await wrong('plans', '--limit', '500'), /from 1 to 100/);
    assert.match(await wrong('audit', '--from', 'yesterday'), /2h/);
    assert.match(await wrong('completion', 'bsh'), /did you mean bash/);
  });

  it('prints errors as JSON with --json', async () => {
    const { error } = JSON.parse((await cli(['plan', 'nope', '--json'])).err);
    assert.deepEqual([error.code, error.exit], ['PLAN_NOT_FOUND', 3]);
  });

  it('never sends the key of this home to a server elsewhere', async () => {
    const { world } = worldAt(home);
    const keyFor = async (address: string): Promise<unknown> => (await new Session(world, { address }).target()).key;
    assert.equal(await keyFor('http://colmeia.example:7420'), null);
    assert.notEqual(await keyFor('http://localhost:7420'), null);
    assert.notEqual(await keyFor(server.address), null);
  });

  it('completes every command in every shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { exit, out } = await cli(['completion', shell]);
      assert.equal(exit, 0);
      for (const word of ['replan', 'verify', 'key-file']) assert.ok(out.includes(word), `${shell}: ${word}`);
    }
  });
});

it('docs/cli.md names every command and every option', () => {
  const doc = fs.readFileSync(path.join(ROOT, 'docs/cli.md'), 'utf8');
  const { world } = worldAt(home);
  const program = buildProgram(world, { action: () => async () => {}, paged: (command) => command });
  const missing: string[] = [];
  const visit = (command: typeof program, name: string): void => {
    if (!doc.includes(`\`${name}`)) missing.push(name);
    for (const option of command.options)
      if (option.long !== '--version' && !doc.includes(option.long!)) missing.push(`${name} ${option.long}`);
    for (const one of command.commands) if (one.name() !== 'help') visit(one, `${name} ${one.name()}`);
  };
  visit(program, 'colmeia');
  assert.deepEqual(missing, []);
});

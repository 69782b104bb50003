import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOCAL_OPERATOR } from '../../src/index.ts';
import { EXAMPLE_DECISION, EXAMPLE_PLAN } from '../../src/interfaces/http/example-records.ts';
import { ColmeiaError } from '../../src/platform/errors.ts';
import { SecretFinder, thirtySecrets } from './planted-secrets.ts';
import { isKeyFile, SECRET_PLACES } from './secret-places.ts';
import { openSecretWorld, type SecretWorld } from './secret-world.ts';
import { operationsOf, type OpenApi } from '../support/server.ts';

const finder = new SecretFinder();
/** Of the store, and so known to the process. */
const stored: string[] = [];
let world: SecretWorld;
let dump: string;

before(async () => {
  world = await openSecretWorld();
  for (const place of SECRET_PLACES) {
    const planted = await place.plant(world);
    if (place.name.includes('secret')) stored.push(...planted);
    finder.plant(place.name, planted);
  }
  await useEverything();
  await runAgents();
  await askWrongly();
  await failLoudly();
  await world.stop();
  dump = await world.dump();
});
after(async () => {
  await world.stop(); // again, when something failed before
  world.clear();
});

/** Every look that the API and the CLI offer, at every company that holds secrets. */
async function useEverything(): Promise<void> {
  const document: OpenApi = JSON.parse(await world.call('GET', '/openapi.json', undefined, 200));
  const names: string[] = JSON.parse(await world.call('GET', '/api/v1/instances?limit=100')).items.map(
    (one: { name: string }) => one.name,
  );
  const { items: keys } = JSON.parse(await world.call('GET', '/api/v1/keys?limit=100'));
  for (const { method, path: route, operation } of operationsOf(document)) {
    if (method !== 'GET' || operation.operationId === 'streamEvents') continue;
    for (const name of route.includes('{name}') ? names : ['default']) {
      const filled = route
        .replace('{name}', name)
        .replace('{secret}', 'token_3')
        .replace('{key_id}', keys[0].key_id)
        .replaceAll(/\{\w+\}/g, 'x');
      await world.call('GET', filled);
    }
  }
  for (const name of names) {
    await world.colmeia.secrets.get(LOCAL_OPERATOR, { instance: name, secret: 'token_3' }).catch(() => {});
    await world.cli(['secrets', 'list', '--all', '--instance', name]);
    await world.cli(['secrets', 'list', '--json', '--instance', name]);
    let place: string | null = '';
    while (place !== null) {
      const page = await world.call('GET', `/api/v1/audit/events?limit=100&instance=${name}${place}`, undefined, 200);
      const { next } = JSON.parse(page);
      place = next === null ? null : `&after=${next}`;
    }
  }
  await world.cli(['secrets']);
  await world.cli(['keys', '--all']);
  await world.cli(['audit', 'verify']);
}

/**
 * A command of an agent writes down all that it can see of its surroundings, says what it is allowed to see, and every
 * agent that posts gets a ticket.
 */
async function runAgents(): Promise<void> {
  const seen = path.join(world.home, 'seen');
  const script = `
    const fs = require('fs');
    const read = (file) => { try { return fs.readFileSync(file, 'utf8'); } catch { return ''; } };
    const { ALLOWED_TOKEN, ...env } = process.env;
    const around = [['self', 'cmdline'], [process.ppid, 'cmdline'], [process.ppid, 'environ']].map(([pid, what]) => read('/proc/' + pid + '/' + what));
    fs.writeFileSync(${JSON.stringify(seen)}, JSON.stringify([env, process.argv, around, read(0)]));
    console.log(ALLOWED_TOKEN);
    console.error('token: ' + ALLOWED_TOKEN);
    console.log(JSON.stringify({ done: 'with ' + ALLOWED_TOKEN }));`;
  const commands = { default: ['{node}', '-e', script] };
  const builder = { agent_id: 'builder', kind: 'process', task_types: ['BUILD'], isolate: 'none', commands };
  const callers = world.agents.map(({ capabilities }) => (capabilities as string[])[0]!);
  world.agents.push({ ...builder, env: ['ALLOWED_TOKEN'] });
  await world.runAgents();
  const [build, check] = EXAMPLE_PLAN.tasks;
  const tasks = [
    { ...build, required_capabilities: [] },
    ...callers.map((name) => ({ ...check, task_id: name, dependencies: [], required_capabilities: [name] })),
  ];
  const plan = { ...EXAMPLE_PLAN, tasks, execution_order: tasks.map(({ task_id }) => task_id) };
  await world.call('POST', '/api/v1/decisions', { ...EXAMPLE_DECISION, cognitive_plan: plan }, 202);
  const { plans } = world.colmeia;
  const deadline = Date.now() + 60_000;
  while ((await plans.get(LOCAL_OPERATOR, { planId: plan.plan_id })).status === 'running') {
    assert.ok(Date.now() < deadline, 'the plan does not end');
    await sleep(100);
  }
  assert.equal((await plans.get(LOCAL_OPERATOR, { planId: plan.plan_id })).status, 'completed');
  await world.call('GET', `/api/v1/tickets/by-plan/${plan.plan_id}?limit=100`, undefined, 200);
  world.left.said += fs.readFileSync(seen, 'utf8');
}

/** What people do wrong with secrets: none of it is told back. */
async function askWrongly(): Promise<void> {
  for (const secret of stored.slice(0, 30)) {
    const url = '/api/v1/instances/rest/secrets/token_0';
    const inJson = JSON.stringify(secret);
    for (const body of [
      `{"value": ${inJson}`,
      `{"value": ${inJson}} ${inJson}`,
      `{"value": x${secret}}`,
      `${secret}`,
      inJson,
    ])
      await world.call('PUT', url, body, 400);
    for (const body of [{ value: [secret] }, { value: { a: secret } }, { valu: secret }, { value: `${secret}\u0000` }])
      await world.call('PUT', url, body, 400);
    await world.call('PUT', url, { value: secret.repeat(Math.ceil(70_000 / secret.length)) }, 400);
    await world.call('PUT', '/api/v1/instances/nobody/secrets/token_0', { value: secret }, 404);
    await world.call('PUT', '/api/v1/instances/rest/secrets/Not-a-name', { value: secret }, 400);
    await world.cli(['secrets', 'set', 'token_0', secret, '--instance', 'rest'], 'x', 2);
    await world.cli(['secrets', 'set', 'Not-a-name', '--instance', 'rest'], secret, 4);
  }
}

/** A capability that says the secrets it uses, in errors and to the log; whole, and cut in the middle. */
async function failLoudly(): Promise<void> {
  for (const secret of stored) {
    const messages = [
      `login with "${secret}" failed`,
      `${secret.slice(0, 120)}…`,
      `Basic ${Buffer.from(`ana:${secret}`).toString('base64')}`,
    ];
    for (const message of messages) {
      world.failWith(new ColmeiaError('OUTSIDE_REFUSED', message, { faults: [{ path: 'x', message }] }));
      await world.call('GET', '/api/v1/plans/x');
      world.failWith(new Error(message));
      await world.call('GET', '/api/v1/plans/x', undefined, 500);
      for (const log of world.logs) {
        log.error({ err: new Error(message, { cause: new Error(message) }) }, message);
        log.info(
          { detail: message, deep: { er: [message] }, url: `https://x.example/?token=${encodeURIComponent(secret)}` },
          'said',
        );
      }
    }
  }
}

describe('no secret leaves', () => {
  const exits: [string, () => string][] = [
    ['answers of the API, errors, metrics and documents', () => world.left.answers],
    ['the CLI, and what commands of agents see', () => world.left.said],
    ['what agents post to', () => world.left.posted],
    ['events', () => world.left.events],
    ['the log as JSON', () => world.left.logs.json],
    ['the log as text', () => world.left.logs.text],
    ['the database, the journal in it', () => dump],
  ];
  for (const [name, read] of exits) {
    test(`in ${name}`, () => {
      const text = read();
      assert.ok(text.length > 1_000, 'something was said there');
      assert.deepEqual(finder.findIn(text), []);
    });
  }

  test('in any file of the home', () => {
    const files = fs
      .readdirSync(world.home, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile());
    const found: string[] = [];
    for (const entry of files) {
      const file = path.join(entry.parentPath, entry.name);
      if (isKeyFile(path.relative(world.home, file))) continue;
      found.push(...finder.findInBytes(fs.readFileSync(file)).map((what) => `${file}: ${what}`));
    }
    assert.ok(files.length > 20);
    assert.deepEqual(found, []);
  });
});

test('the search finds what is there, in each form', () => {
  const own = new SecretFinder();
  const secrets = thirtySecrets();
  assert.equal(new Set(secrets).size, 30);
  own.plant('here', secrets);
  for (const secret of secrets) {
    const forms = [
      secret,
      JSON.stringify({ secret }),
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
    ];
    for (const form of forms) assert.equal(own.findIn(`before ${form} after`).length >= 1, true, form);
    assert.equal(own.findInBytes(Buffer.from(`x${secret}x`)).length >= 1, true);
  }
  assert.deepEqual(own.findIn('nothing'), []);
  assert.ok(finder.count > 200, 'and here much was planted');
  assert.ok(dump.includes('secret.rotated') && dump.includes('secret_key'), 'the whole database was looked at');
  assert.match(world.left.logs.json, /login with .{0,4}\[secret\]/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import type { ProcessAgentConfig } from './agent-config.ts';
import { parseAgentConfig, readAgentConfig } from './parse-agent-config.ts';

function faultsOf(value: unknown): Fault[] {
  try {
    parseAgentConfig(value, '/etc/colmeia');
  } catch (error) {
    assert.ok(error instanceof ColmeiaError);
    assert.equal(error.code, 'CONFIG_INVALID');
    return error.faults;
  }
  return [];
}

const PROCESS = { agent_id: 'builder', kind: 'process', task_types: ['BUILD'], commands: { BUILD: ['make'] } };
const HTTP = { agent_id: 'hook', kind: 'http', task_types: ['QUERY'], endpoint: 'https://hooks.example/run' };

test('what is left out gets its default; relative paths start from the folder of the file', () => {
  const { agents } = parseAgentConfig(
    [
      { ...PROCESS, work_root: 'w', commands: { BUILD: ['make'], TEST: { argv: ['make', 'test'], timeout_ms: 5 } } },
      HTTP,
    ],
    '/etc/colmeia',
  );
  const [builder, hook] = agents as [ProcessAgentConfig, unknown];
  assert.deepEqual(builder, {
    agent_id: 'builder',
    kind: 'process',
    task_types: ['BUILD'],
    capabilities: [],
    concurrency: 1,
    labels: {},
    commands: { BUILD: { argv: ['make'], timeout_ms: 3_600_000 }, TEST: { argv: ['make', 'test'], timeout_ms: 5 } },
    choose_by: 'task_type',
    work_folder: 'plan',
    work_root: '/etc/colmeia/w',
    keep_days: 7,
    env: [],
    timeout_ms: 3_600_000,
    stop_grace_ms: 2_000,
    orphan_ms: 600_000,
    keep_bytes: 1_048_576,
    exit_classes: {},
    isolate: 'files',
    hidden: [],
    visible: [],
  });
  assert.deepEqual(hook, {
    agent_id: 'hook',
    kind: 'http',
    task_types: ['QUERY'],
    capabilities: [],
    concurrency: 1,
    labels: {},
    endpoint: 'https://hooks.example/run',
    secret: null,
    headers: {},
    timeout_ms: 60_000,
    retries: 2,
    max_response_bytes: 1_048_576,
  });
});

test('every fault is listed at once, with its path', () => {
  const faults = faultsOf([
    {
      ...PROCESS,
      agent_id: '../x',
      task_types: ['BUILDS'],
      concurency: 2,
      concurrency: 0,
      commands: { 'a b': ['x'], empty: [], two: { argv: ['x', 1], timeout: 5 } },
    },
    {
      ...PROCESS,
      env: ['COLMEIA_KEY', 'A-B'],
      exit_classes: { 300: 'quota', 3: 'bad' },
      choose_by: { parameter: '' },
      work_folder: 'home',
    },
    { ...HTTP, agent_id: 'builder', endpoint: 'ftp://x', secret: 'plain text', headers: { a: 1 }, retries: 2.5 },
    { agent_id: 'x', kind: 'robot', task_types: [] },
    7,
  ]);
  assert.deepEqual(
    faults.map(({ path }) => path).sort(),
    [
      '[0].agent_id',
      '[0].task_types[0]',
      '[0].concurrency',
      '[0].commands.a b',
      '[0].commands.empty',
      '[0].commands.two.argv[1]',
      '[0].commands.two.timeout',
      '[0].concurency',
      '[1].exit_classes.300',
      '[1].exit_classes.3',
      '[1].choose_by.parameter',
      '[1].work_folder',
      '[1].env[0]',
      '[1].env[1]',
      '[2].endpoint',
      '[2].secret',
      '[2].headers.a',
      '[2].retries',
      '[3].kind',
      '[3].task_types',
      '[4]',
      '[2].agent_id',
    ].sort(),
  );
  assert.match(faults.find(({ path }) => path === '[0].concurency')!.message, /did you mean "concurrency"/);
  assert.ok(!JSON.stringify(faults).includes('plain text'), 'a secret is not repeated');
});

test('something that is no list, and a file that is no JSON or not there', async () => {
  assert.deepEqual(faultsOf({}), [{ path: '', message: 'must be an array of agents' }]);
  await assert.rejects(readAgentConfig(new URL(import.meta.url).pathname), { code: 'CONFIG_INVALID' });
  assert.deepEqual((await readAgentConfig('/nowhere/agents.json')).agents, []);
});

test('a cluster has its defaults, is always the last resort, and each slip is found', () => {
  const cluster = { address: 'https://eu.example/colmeia', key_file: 'eu.key' };
  const agent = { agent_id: 'eu', kind: 'http', task_types: ['QUERY'], labels: { last_resort: 'false', tier: 'x' } };
  assert.deepEqual(parseAgentConfig([{ ...agent, colmeia: cluster }], '/etc/colmeia').agents, [
    {
      ...agent,
      capabilities: [],
      concurrency: 1,
      labels: { last_resort: 'true', tier: 'x' },
      colmeia: { ...cluster, instance: null, max_hops: 1, unreachable_ms: 60_000 },
    },
  ]);
  assert.deepEqual(
    faultsOf([
      { ...agent, endpoint: 'https://x.example', colmeia: { ...cluster, instance: '', max_hops: 3, keyfile: 'x' } },
      { ...agent, agent_id: 'a', colmeia: 'https://eu.example' },
      { ...agent, agent_id: 'b', colmeia: { address: 'ftp://x', key_file: 1 } },
      { ...agent, agent_id: 'c', colmeia: { address: 'https://user:pw@x.example', key_file: 'k' } },
      { ...agent, agent_id: 'd', colmeia: { address: 'https://x.example/?a=1', key_file: 'k' } },
    ]).map(({ path, message }) => `${path} ${message}`),
    [
      '[0].colmeia.instance must be a string that is not empty',
      '[0].colmeia.max_hops must be a whole number from 1 to 2',
      '[0].colmeia.keyfile is not known; did you mean "key_file"?',
      '[0].endpoint is not known',
      '[1].colmeia must be an object',
      '[2].colmeia.address must be an http(s) URL',
      '[2].colmeia.key_file must be a string that is not empty',
      '[3].colmeia.address must not hold a user or password',
      '[4].colmeia.address must be a base URL, without "?" and "#"',
    ],
  );
});

test('the example of an agent of last resort is a valid configuration', async () => {
  const { agents } = await readAgentConfig(
    new URL('../../../examples/agents/last-resort.json', import.meta.url).pathname,
  );
  assert.deepEqual(
    agents.map(({ agent_id, labels }) => [agent_id, labels]),
    [['eu-cluster', { last_resort: 'true' }]],
  );
});

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

const ROOT = path.join(import.meta.dirname, '../..');
const run = promisify(execFile);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-package-'));
const project = path.join(folder, 'project');
const home = path.join(project, '.colmeia');
/** Why it could not be installed, for reasons that are not ours; null = it was. */
let unreachable: string | null = null;

/** The pinned Node stands first, so that `node` is the one that Colmeia asks for. */
const env: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries({
    ...process.env,
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH ?? ''}`,
  }).filter(([name]) => !/^(COLMEIA_|npm_config_(?!registry|cache|userconfig|offline))/i.test(name)),
);

before(
  async () => {
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
      cwd: ROOT,
      env,
      maxBuffer: 2 ** 26,
    });
    const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as { filename: string; files: { path: string }[] }[];
    const names = packed!.files.map((file) => file.path);
    for (const needed of [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/agent.js',
      'dist/agent.d.ts',
      'dist/main.js',
      'schemas/',
      'migrations/',
      'templates/default/env.template',
      'schemas/instance/config.schema.json',
      'examples/release/decision.json',
    ])
      assert.ok(
        names.some((name) => name.startsWith(needed)),
        `the package lacks ${needed}`,
      );
    assert.deepEqual(
      names.filter((name) => /\.test\.|\.testing\./.test(name) && name.startsWith('dist/')),
      [],
    );
    fs.mkdirSync(project);
    fs.writeFileSync(path.join(project, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }\n');
    const install = [
      'install',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--omit=dev',
      '--fetch-retries=1',
      path.join(folder, packed!.filename),
    ];
    try {
      await run('npm', install, { cwd: project, env, maxBuffer: 2 ** 26 });
    } catch (error) {
      const { stderr } = error as { stderr: string };
      if (!/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED|ENETUNREACH|E50\d/.test(stderr))
        throw error;
      unreachable = 'the package registry cannot be reached, and the cache does not have everything';
    }
  },
  { timeout: 170_000 },
);
after(() => fs.rmSync(folder, { recursive: true, force: true }));

async function script(name: string, source: string): Promise<string> {
  fs.writeFileSync(path.join(project, name), source);
  const { stdout } = await run(process.execPath, [name], { cwd: project, env, timeout: 60_000 });
  return stdout;
}

describe('the package in an empty project', () => {
  it('is a library and an agent SDK', { timeout: 90_000 }, async (t) => {
    if (unreachable !== null) return t.skip(unreachable);
    const out = await script(
      'library.mjs',
      `import fs from 'node:fs';
import { createColmeia, localTransport, LOCAL_OPERATOR } from 'colmeia';
import { runAgent } from 'colmeia/agent';
const colmeia = await createColmeia();
const agent = runAgent({
  agentId: 'a', taskTypes: ['EXECUTE'], capabilities: ['build'], transport: localTransport(colmeia), handleSignals: false, log: () => {},
  handler: (ticket) => ({ did: ticket.task_id }),
});
const decision = JSON.parse(fs.readFileSync('node_modules/colmeia/examples/release/decision.json', 'utf8'));
const plan = decision.cognitive_plan;
plan.tasks = plan.tasks.slice(0, 1);
plan.execution_order = plan.tasks.map((task) => task.task_id);
plan.destructive_tasks = [];
const { plan_id } = await colmeia.decisions.submit(LOCAL_OPERATOR, decision);
let status;
do {
  await new Promise((resolve) => setTimeout(resolve, 20));
  ({ status } = await colmeia.plans.get(LOCAL_OPERATOR, { planId: plan_id }));
} while (status !== 'completed' && status !== 'failed');
console.log('status', status);
await agent.stop(0);
await colmeia.close();
`,
    );
    assert.equal(out, 'status completed\n');
    return undefined;
  });

  it('has declarations that a strict project compiles against', { timeout: 60_000 }, async (t) => {
    if (unreachable !== null) return t.skip(unreachable);
    const source = `import { createColmeia, LOCAL_OPERATOR, type Colmeia } from 'colmeia';
import { runAgent } from 'colmeia/agent';
const colmeia: Colmeia = await createColmeia({ dataFolder: null });
const { items } = await colmeia.plans.list(LOCAL_OPERATOR, { limit: 1 });
export const id: string | undefined = items[0]?.plan_id;
runAgent({ agentId: 'a', taskTypes: ['QUERY'], handler: async (ticket) => ({ hello: ticket.parameters.name ?? '' }) });
`;
    fs.writeFileSync(path.join(project, 'typed.mts'), source);
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    const flags = [
      '--noEmit',
      '--strict',
      '--target',
      'es2024',
      '--module',
      'nodenext',
      '--skipLibCheck',
      '--types',
      'node',
      '--typeRoots',
      path.join(ROOT, 'node_modules/@types'),
    ];
    await run(process.execPath, [tsc, ...flags, 'typed.mts'], { cwd: project, env });
    return undefined;
  });

  it('is a server and its command line', { timeout: 90_000 }, async (t) => {
    if (unreachable !== null) return t.skip(unreachable);
    const bin = path.join(project, 'node_modules/.bin/colmeia');
    const server = spawn(bin, ['serve'], {
      cwd: project,
      env: { ...env, COLMEIA_PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let text = '';
      server.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      while (!text.includes('Ctrl-C stops it')) {
        assert.equal(server.exitCode, null, text);
        await once(server.stdout, 'data');
      }
      assert.match(text, /plan completed/);
      const { stdout } = await run(bin, ['plans', '--json'], { cwd: project, env });
      assert.equal((JSON.parse(stdout) as { items: unknown[] }).items.length, 1);
      assert.ok(fs.existsSync(path.join(home, 'operator.key')));
    } finally {
      server.kill('SIGTERM');
    }
    const [code] = (await once(server, 'exit')) as [number];
    assert.equal(code, 0);
    // Without the server: with the templates, schemas and migrations of the package.
    await run(bin, ['instance', 'create', 'acme', '--template', 'shop'], { cwd: project, env });
    const { stdout } = await run(bin, ['instance', 'init', 'acme', '--json'], { cwd: project, env });
    const { state, result } = JSON.parse(stdout) as { state: string; result: { seeds: string[]; health: string } };
    assert.deepEqual([state, result.seeds, result.health], ['completed', ['orders/customers'], 'healthy']);
    return undefined;
  });
});

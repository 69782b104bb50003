import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { arbitraryMutation } from '../../../platform/contracts/arbitrary-record.testing.ts';
import { layOutCompany, temporaryInstances } from './company-folder.testing.ts';
import { readCompanySql, readFolder } from './read-folder.ts';

const company = (): Promise<string> => layOutCompany(temporaryInstances(), 'acme', 'shop');
const write = (folder: string, file: string, text: string): void => {
  fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  fs.writeFileSync(path.join(folder, file), text);
};
const codesOf = async (folder: string): Promise<string[]> =>
  (await readFolder(folder)).faults.map(({ code, place }) => `${code} ${place}`).sort();

describe('readFolder', () => {
  it('finds every fault of a folder at once, with its place', async () => {
    const folder = await company();
    write(folder, '.env', 'GOOD=1\nnonsense\n');
    write(
      folder,
      'config.json',
      '{"nam": "acme", "tier": "golden", "budget_usd": -5, "locale": "?", "database": {"ulr": "x"}}',
    );
    write(folder, 'supabase.config.json', '{\n "enabled": yes\n}');
    write(folder, 'atlassian.config.json', '{"jira": {"project_key": "acme", "project-key": "A"}, "email": 3}');
    write(folder, 'mcp.json', '{"mcpServers": {"a": {"args": ["x", 1]}, "b": {"url": "ftp://x"}}}');
    write(
      folder,
      'microservices/orders/component.json',
      '{"name": "order", "version": "1.0.0", "description": "x", "category": "api"}',
    );
    write(folder, 'microservices/Bad Name/x', '');
    write(folder, 'microservices/bare/x', '');
    write(folder, 'migrations/1_x.sql', 'select 1');
    write(folder, 'migrations/0001_x.sql', 'select 1');
    write(folder, 'migrations/0001_y.sql', 'select 1');
    assert.deepEqual(await codesOf(folder), [
      'COMPONENT_INVALID microservices/Bad Name',
      'COMPONENT_INVALID microservices/orders/component.json: name',
      'COMPONENT_WITHOUT_MANIFEST microservices/bare/component.json',
      'ENV_INVALID .env',
      'JSON_INVALID supabase.config.json',
      'SQL_FILE_INVALID migrations/0001_y.sql',
      'SQL_FILE_INVALID migrations/1_x.sql',
      'UNKNOWN_KEY atlassian.config.json: jira.project-key',
      'UNKNOWN_KEY config.json: database.ulr',
      'UNKNOWN_KEY config.json: nam',
      'VALUE_INVALID atlassian.config.json: email',
      'VALUE_INVALID atlassian.config.json: jira.project_key',
      'VALUE_INVALID config.json: budget_usd',
      'VALUE_INVALID config.json: locale',
      'VALUE_INVALID config.json: name',
      'VALUE_INVALID config.json: tier',
      'VALUE_INVALID mcp.json: mcpServers.a',
      'VALUE_INVALID mcp.json: mcpServers.a.args[1]',
      'VALUE_INVALID mcp.json: mcpServers.b.url',
    ]);
  });

  it('says what to do: the nearest right name, the choices, line and column', async () => {
    const folder = await company();
    write(folder, 'config.json', '{"name": "acme", "tierr": "gold", "strategy": "own"}');
    write(folder, 'mcp.json', '{\n  "mcpServers": {},\n}');
    const messages = (await readFolder(folder)).faults.map((fault) => fault.message);
    assert.deepEqual(messages, [
      'must be one of full, schema, hybrid',
      'is not known: did you mean "tier"?',
      'line 2, column 19: no comma may stand before the end of a list',
    ]);
  });

  it('reads a file with an unknown name in it all the same, and none that breaks its schema', async () => {
    const folder = await company();
    write(folder, 'config.json', '{"name": "acme", "tier": "gold", "teir": "x"}');
    write(folder, 'mcp.json', '{"mcpServers": []}');
    const { config, mcp } = await readFolder(folder);
    assert.deepEqual([config?.tier, mcp], ['gold', null]);
  });

  it('follows no link out of the folder, and waits for no pipe', { skip: process.platform === 'win32' }, async () => {
    const folder = await company();
    const outside = path.join(temporaryInstances(), 'outside');
    write(outside, 'config.json', '{"name": "other"}');
    write(outside, 'x/0001_stolen.sql', 'select 1');
    fs.rmSync(path.join(folder, 'config.json'));
    fs.symlinkSync(path.join(outside, 'config.json'), path.join(folder, 'config.json'));
    fs.rmSync(path.join(folder, 'migrations'), { recursive: true });
    fs.symlinkSync(path.join(outside, 'x'), path.join(folder, 'migrations'));
    fs.symlinkSync(outside, path.join(folder, 'microservices/linked'));
    fs.rmSync(path.join(folder, 'mcp.json'));
    execFileSync('mkfifo', [path.join(folder, 'mcp.json')]);
    fs.symlinkSync('nowhere', path.join(folder, 'seeds/loop.sql'));
    fs.rmSync(path.join(folder, 'supabase.config.json'));
    fs.symlinkSync('config.example.json', path.join(folder, 'supabase.config.json'));
    assert.deepEqual(
      (await codesOf(folder)).filter((code) => !code.startsWith('UNKNOWN_KEY')),
      [
        'FILE_MISSING seeds/loop.sql',
        'FILE_OUTSIDE config.json',
        'FILE_OUTSIDE microservices/linked',
        'FILE_OUTSIDE migrations',
        'FILE_UNREADABLE mcp.json',
      ],
    );
    const { config, migrations } = await readFolder(folder);
    assert.deepEqual([config, migrations.map((file) => file.origin)], [null, ['orders']]);
  });

  it('refuses what is too large or no text', async () => {
    const folder = await company();
    write(folder, 'mcp.json', `{"x": "${'y'.repeat(300 * 1024)}"}`);
    fs.writeFileSync(path.join(folder, '.env'), Buffer.from([0x41, 0x3d, 0xff, 0xfe]));
    assert.deepEqual(await codesOf(folder), ['FILE_UNREADABLE .env', 'FILE_UNREADABLE mcp.json']);
  });

  it(
    'says so when the folder is not there, is a file, or is a link',
    { skip: process.platform === 'win32' },
    async () => {
      const instances = temporaryInstances();
      const folder = await layOutCompany(instances);
      fs.symlinkSync(folder, path.join(instances, 'linked'));
      fs.writeFileSync(path.join(instances, 'file'), '');
      for (const [name, code] of [
        ['linked', 'FILE_OUTSIDE'],
        ['file', 'FOLDER_MISSING'],
        ['gone', 'FOLDER_MISSING'],
      ] as const) {
        const reading = await readFolder(path.join(instances, name));
        assert.deepEqual([reading.config, reading.faults.map((fault) => fault.code)], [null, [code]]);
        assert.ok(!JSON.stringify(reading.faults).includes(instances));
      }
    },
  );

  it('gives out no secret, wherever and in whatever form it stands', async () => {
    const folder = await company();
    write(
      folder,
      '.env',
      [
        'API_KEY=hunter2-1',
        'X=postgres://u:hunter2-2@h/d',
        'hunter2-3',
        'A_TOKEN="hunter2-4',
        'x=ghp_hunter2hunter2',
      ].join('\n'),
    );
    write(
      folder,
      'config.json',
      `{"name": "acme", "tier": "hunter2-0", "database": {"url": "postgres://u:hunter2-5@h/d"}}`,
    );
    write(
      folder,
      'supabase.config.json',
      `{"access_token": 12, "service_role_key": "hunter2-6", "plan": ["hunter2-7"], "region": hunter2-8}`,
    );
    write(
      folder,
      'atlassian.config.json',
      `{"api_token": "hunter2-9", "jira": {"project_key": "hunter2-10"}, "site": "hunter2-11"}`,
    );
    write(
      folder,
      'mcp.json',
      `{"mcpServers": {"a": {"command": "x", "env": {"MY_TOKEN": "hunter2-12"}, "args": ["--password=hunter2-13"]}, "b": "hunter2-14"}}`,
    );
    const { faults, ...reading } = await readFolder(folder);
    assert.doesNotMatch(inspect({ faults, ...reading, migrations: [] }, { depth: 9 }), /hunter2/);
    assert.equal(faults.filter((fault) => fault.code === 'PLAIN_SECRET').length, 7);
  });
});

describe('readFolder, whatever is in the files', () => {
  const starts = {
    'config.json': { name: 'acme', database: { url: 'secret:database_url' }, budget_usd: 5 },
    'supabase.config.json': { enabled: true, access_token: 'secret:supabase_access_token' },
    'atlassian.config.json': {
      jira: { project_key: 'ACME' },
      confluence: { space_key: 'ACME' },
      site: 'https://a.example',
    },
    'mcp.json': { mcpServers: { 'a/b~c': { command: 'x', args: ['y'], env: { Z: 'z' } } } },
    'microservices/orders/component.json': { name: 'orders', version: '1.0.0', description: 'x', category: 'api' },
  };

  it('neither throws nor gives a fault without a place, a message and a remedy', async () => {
    const folder = await company();
    const file = fc.constantFrom(...(Object.keys(starts) as (keyof typeof starts)[]));
    const mutated = file.chain((name) => fc.tuple(fc.constant(name), arbitraryMutation(starts[name]).map(jsonOf)));
    const rubbish = fc.tuple(fc.constantFrom('.env', ...Object.keys(starts)), fc.string({ unit: 'binary' }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, rubbish), async ([name, text]) => {
        write(folder, name, text);
        const { faults } = await readFolder(folder);
        for (const fault of faults) assert.ok(fault.place !== '' && fault.message !== '' && fault.remedy !== '');
      }),
      { numRuns: 300 },
    );
  });
});

/** What of a value JSON can hold. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch {
    return '[1n]';
  }
}

describe('readCompanySql', () => {
  it('has the company’s own files first, each component’s after, and line ends do not count', async () => {
    const folder = await company();
    write(folder, 'migrations/0002_b.sql', 'select 2;\r\n');
    write(folder, 'migrations/0001_a.sql', 'select 1;\n');
    const { migrations, seeds } = await readCompanySql(folder);
    assert.deepEqual(
      migrations.map(({ origin, version, name }) => [origin, version, name]),
      [
        ['company', 1, 'a'],
        ['company', 2, 'b'],
        ['orders', 1, 'orders'],
      ],
    );
    assert.equal(seeds.length, 1);
    const [, windows] = migrations;
    write(folder, 'migrations/0002_b.sql', 'select 2;\n');
    assert.equal((await readCompanySql(folder)).migrations[1]!.checksum, windows!.checksum);
  });

  it('gives none of them when one cannot be used', async () => {
    const folder = await company();
    write(folder, 'migrations/one.sql', '');
    await assert.rejects(readCompanySql(folder), { code: 'INSTANCE_INVALID' });
    fs.rmSync(folder, { recursive: true });
    await assert.rejects(readCompanySql(folder), { code: 'INSTANCE_INVALID' });
  });
});

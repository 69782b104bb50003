import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { layOutFolder } from '../folder/lay-out-folder.ts';
import { readFolder } from '../folder/read-folder.ts';
import { carryFiles } from './carry-files.ts';
import { identityOf, withoutIdentity } from './company-identity.ts';
import { digestTree, listTree } from './company-tree.ts';

const TOKEN = 'ATATT3xFfGF0abcdefghijklmnop';
const values = {
  display_name: 'acme',
  strategy: 'hybrid',
  tier: 'gold',
  template: 'shop',
  budget_usd: 5,
  locale: 'en',
};
const { signal } = new AbortController();

describe('files of a company carried into another one', () => {
  let home: string;
  let source: string;
  let target: string;
  const read = (file: string): string => fs.readFileSync(path.join(target, file), 'utf8');

  before(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-carry-'));
    const layout = {
      instancesFolder: home,
      name: 'acme',
      folder: null,
      template: 'shop',
      values,
      ifExists: 'refuse',
    } as const;
    source = await layOutFolder(layout);
    const write = (file: string, text: string): void => fs.writeFileSync(path.join(source, file), text);
    const config = JSON.parse(fs.readFileSync(path.join(source, 'config.json'), 'utf8')) as object;
    write('config.json', JSON.stringify({ ...config, database: { url: 'secret:database_url' } }, null, 4));
    write(
      'atlassian.config.json',
      `{"api_token": "${TOKEN}", "jira": {"project_key": "ACME"}, "confluence": {"space_key": "ACME"}, "email": "a@acme.example"}`,
    );
    write(
      'supabase.config.json',
      '{"enabled": true, "project_ref": "abc", "url": "https://abc.supabase.co", "publishable_key": "sb_publishable_x"}',
    );
    write('mcp.json', '{"mcpServers": {"acme": {"command": "acme", "args": ["ACME", "acme"]}}}');
    write('.env', `# old: ${TOKEN}\nATLASSIAN_API_TOKEN=${TOKEN}\nOTHER_KEY=secret:other_key\nLOG_LEVEL=debug\n`);
    write('microservices/orders/run.sh', '#!/bin/sh\necho acme\n');
    fs.chmodSync(path.join(source, 'microservices/orders/run.sh'), 0o755);
    fs.symlinkSync('/etc/passwd', path.join(source, 'microservices/orders/link'));
    fs.mkdirSync(path.join(source, 'microservices/orders/node_modules'));
    write('microservices/orders/node_modules/x.js', 'x');
    fs.mkdirSync(path.join(source, 'exports'));
    write('exports/acme.colmeia', 'export');
    target = path.join(home, 'bolo');
    await carryFiles({ from: source, to: target, instancesFolder: home, name: 'bolo', formerName: 'acme', signal });
  });
  after(() => fs.rmSync(home, { recursive: true, force: true }));

  test('the fields that say who it is become its own, and no other text changes', () => {
    assert.deepEqual(identityOf('config.json', JSON.parse(read('config.json'))), {
      'config.json: name': 'bolo',
      'config.json: display_name': 'bolo',
      'config.json: database': {},
    });
    const supabase = { enabled: true, project_ref: null, url: null, publishable_key: '' };
    assert.deepEqual(JSON.parse(read('supabase.config.json')), supabase);
    const atlassian = JSON.parse(read('atlassian.config.json')) as Record<string, unknown>;
    assert.deepEqual([atlassian.jira, atlassian.confluence], [{ project_key: null }, { space_key: null }]);
    assert.equal(read('mcp.json'), fs.readFileSync(path.join(source, 'mcp.json'), 'utf8'));
    for (const file of ['config.json', 'supabase.config.json']) {
      const was: unknown = JSON.parse(fs.readFileSync(path.join(source, file), 'utf8'));
      assert.deepEqual(withoutIdentity(file, JSON.parse(read(file))), withoutIdentity(file, was));
    }
  });

  test('no value of a secret comes along, from files or comments, and neither do values of .env', () => {
    for (const file of fs.readdirSync(target, { recursive: true, encoding: 'utf8' })) {
      if (fs.statSync(path.join(target, file)).isFile()) assert.ok(!read(file).includes(TOKEN), file);
    }
    assert.deepEqual(read('.env').split('\n').slice(1), [
      'ATLASSIAN_API_TOKEN=secret:atlassian_api_token',
      'OTHER_KEY=secret:other_key',
      'LOG_LEVEL=',
      '',
    ]);
    assert.equal(
      (JSON.parse(read('atlassian.config.json')) as { api_token: string }).api_token,
      'secret:atlassian_api_token',
    );
  });

  test('components, migrations and seeds are the same bytes; links, what is installed, and exports stay', async () => {
    const [was, is] = [await listTree(source), await listTree(target)];
    assert.deepEqual(was.leftOut, ['microservices/orders/link', 'microservices/orders/node_modules']);
    assert.deepEqual(is.leftOut, []);
    const components = (files: typeof is.files) => files.filter((file) => file.path.startsWith('microservices/'));
    assert.ok(components(is.files).length >= 3);
    const digests = await digestTree(target, components(is.files), signal);
    assert.deepEqual(digests, await digestTree(source, components(was.files), signal));
    assert.ok(!fs.existsSync(path.join(target, 'exports')));
    assert.equal(fs.statSync(path.join(target, 'microservices/orders/run.sh')).mode & 0o777, 0o700);
    assert.equal(fs.statSync(path.join(target, '.env')).mode & 0o777, 0o600);
    const { config, faults } = await readFolder(target);
    assert.equal(config?.name, 'bolo');
    assert.deepEqual(
      faults.filter(({ severity }) => severity === 'error'),
      [],
    );
  });

  test('cut in the middle it leaves nothing', async () => {
    const cut = AbortSignal.abort(new Error('stopping'));
    const to = path.join(home, 'cut');
    await assert.rejects(
      carryFiles({ from: source, to, instancesFolder: home, name: 'cut', formerName: 'acme', signal: cut }),
    );
    assert.ok(!fs.readdirSync(home).some((name) => name.includes('cut')));
  });
});

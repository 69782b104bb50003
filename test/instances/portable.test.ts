import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import zlib from 'node:zlib';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia, LOCAL_OPERATOR, type ColmeiaOptions } from '../../src/index.ts';
import { startAtlassian, type FakeAtlassian } from '../fakes/atlassian-site.ts';
import { refused } from '../flow/sample-company.ts';
import { COMPONENT_FILE, foundFull } from './full-company.ts';
import { completed, endOf } from './life.conformance.ts';

describe('a company in one file', () => {
  let home: string;
  const sites: FakeAtlassian[] = [];
  let here: Colmeia;
  let there: Colmeia;
  let file: string;

  /** A hive with a site of its own. */
  async function openHive(name: string): Promise<Colmeia> {
    const site = await startAtlassian();
    sites.push(site);
    const accounts = { atlassianSite: site.url, atlassianEmail: site.email, atlassianPerMinute: 1_000_000 };
    const options: ColmeiaOptions = { instancesFolder: path.join(home, name, 'instances'), accounts };
    const colmeia = await createColmeia(options);
    await colmeia.secrets.set(LOCAL_OPERATOR, { secret: 'atlassian_api_token' }, { value: site.token });
    return colmeia;
  }
  before(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-portable-'));
    here = await openHive('here');
    there = await openHive('there');
    await foundFull(here, { name: 'acme', strategy: 'hybrid', atlassian: sites[0]! });
    await here.instances.owners.add(LOCAL_OPERATOR, 'acme', 'user:ana@acme.example');
    const { result } = await completed(here, here.instances.exportTo(LOCAL_OPERATOR, 'acme'));
    file = result!.file as string;
    fs.mkdirSync(path.join(home, 'there/exports'), { recursive: true });
    fs.copyFileSync(await here.instances.exports.path(LOCAL_OPERATOR, file), path.join(home, 'there/exports', file));
  });
  after(async () => {
    await here?.close();
    await there?.close();
    for (const site of sites) await site.close();
    fs.rmSync(home, { recursive: true, force: true });
  });

  const runs = (name: string): string =>
    fs.readFileSync(path.join(home, 'there/instances', name, COMPONENT_FILE), 'utf8');

  test('has mode 600, is listed, and holds no value of a secret', async () => {
    const place = await here.instances.exports.path(LOCAL_OPERATOR, file);
    assert.equal(fs.statSync(place).mode & 0o777, 0o600);
    const { items } = await here.instances.exports.list(LOCAL_OPERATOR, {});
    assert.deepEqual(
      items.map((one) => [one.file, one.instance, one.fault]),
      [[file, 'acme', null]],
    );
    const content = zlib.zstdDecompressSync(fs.readFileSync(place)).toString('latin1');
    assert.ok(content.includes('secret:mail_token') && !content.includes('token of acme'));
    assert.deepEqual(fs.readdirSync(path.join(home, 'here/exports')), [file]);
  });

  test('it is imported into another hive, under another name, with rows, files, issues, pages and owners', async () => {
    const { instances } = there;
    const { result } = await completed(
      there,
      instances.importFrom(LOCAL_OPERATOR, { file, name: 'bolo', owners: true }),
    );
    assert.deepEqual([result!.rows, result!.secrets], [1_203, ['mail_token']]);
    const issues = result!.jira as { items: number; links: number; attachments: number };
    assert.deepEqual([issues.items, issues.links, issues.attachments], [61, 12, 12]);
    const made = await instances.get(LOCAL_OPERATOR, 'bolo');
    assert.deepEqual(
      [made.state, made.initialized, made.tier, made.owners],
      ['active', true, 'gold', ['user:ana@acme.example']],
    );
    assert.equal(runs('bolo'), "export const schema = 'company_acme';\n");
    const config = JSON.parse(fs.readFileSync(path.join(made.folder!, 'config.json'), 'utf8')) as { name: string };
    assert.equal(config.name, 'bolo');
    const again = await completed(there, instances.exportTo(LOCAL_OPERATOR, 'bolo'));
    const rowsOf = (view: typeof again) => (view.result!.manifest as { database: { rows: number } }).database.rows;
    assert.equal(rowsOf(again), 1_204);
    await instances.exports.remove(LOCAL_OPERATOR, again.result!.file as string);
    assert.equal((await instances.exports.list(LOCAL_OPERATOR, {})).items.length, 1);
  });

  test('a damaged file, a name that is taken, and what is no name of a file are refused, and nothing is made', async () => {
    const { instances } = there;
    const bytes = fs.readFileSync(path.join(home, 'there/exports', file));
    fs.writeFileSync(path.join(home, 'there/exports', 'cut.colmeia'), bytes.subarray(0, bytes.length - 100));
    await refused(instances.importFrom(LOCAL_OPERATOR, { file: 'cut.colmeia', name: 'cut' }), 'EXPORT_INVALID');
    await refused(instances.get(LOCAL_OPERATOR, 'cut'), 'INSTANCE_NOT_FOUND');
    assert.ok(!fs.existsSync(path.join(home, 'there/instances/cut')));
    fs.rmSync(path.join(home, 'there/exports', 'cut.colmeia'));
    await refused(instances.importFrom(LOCAL_OPERATOR, { file, name: 'default' }), 'INSTANCE_EXISTS');
    for (const name of ['../x.colmeia', '/etc/passwd', 'none.colmeia', '', 'x'])
      await refused(instances.importFrom(LOCAL_OPERATOR, { file: name, name: 'x' }), 'INVALID_REQUEST');
  });

  test('an import that fails takes back what it had made', async () => {
    const site = sites[1]!;
    const { instances } = there;
    const email = site.jira.site.email;
    let view = await instances.importFrom(LOCAL_OPERATOR, { file, name: 'half' });
    while (view.state === 'running' && view.steps.find(({ name }) => name === 'rows')!.state === 'pending')
      view = await instances.operation(LOCAL_OPERATOR, view.id, { after_rev: view.rev, wait_ms: 10_000 });
    site.jira.site.email = 'nobody@example.com';
    view = await instances.operation(LOCAL_OPERATOR, view.id, {});
    while (view.state === 'running')
      view = await instances.operation(LOCAL_OPERATOR, view.id, { after_rev: view.rev, wait_ms: 10_000 });
    site.jira.site.email = email;
    view = await endOf(there, view);
    if (view.state === 'failed') view = await endOf(there, await instances.undoOperation(LOCAL_OPERATOR, view.id));
    assert.equal(view.state, 'undone', JSON.stringify(view));
    await refused(instances.get(LOCAL_OPERATOR, 'half'), 'INSTANCE_NOT_FOUND');
    assert.ok(!fs.existsSync(path.join(home, 'there/instances/half')));
  });

  test('a secret that stands in a row keeps the export from being written, and is not shown', async () => {
    await foundFull(here, { name: 'leaky', strategy: 'schema', atlassian: null });
    await here.secrets.set(
      LOCAL_OPERATOR,
      { instance: 'leaky', secret: 'in_rows' },
      { value: 'customer 77 of company_acme' },
    );
    const view = await endOf(here, await here.instances.exportTo(LOCAL_OPERATOR, 'leaky'));
    assert.deepEqual([view.state, view.error?.code], ['failed', 'INSTANCE_INVALID']);
    assert.match(view.error!.message, /^database\/rows\/\d+\.jsonl holds the value of a secret/);
    assert.deepEqual(fs.readdirSync(path.join(home, 'here/exports')), [file]);
    assert.deepEqual(fs.readdirSync(path.join(home, 'here/operations')), []);
  });

  test('a company that is deleted leaves its last export, from which it comes back', async () => {
    const { instances } = there;
    const { result } = await completed(there, instances.remove(LOCAL_OPERATOR, 'bolo', { confirm: 'bolo' }));
    await refused(instances.get(LOCAL_OPERATOR, 'bolo'), 'INSTANCE_NOT_FOUND');
    const back = await completed(there, instances.importFrom(LOCAL_OPERATOR, { file: result!.exported as string }));
    assert.deepEqual([back.instance, back.result!.rows], ['bolo', 1_203]);
    // Whoever wrote the file chose its owners: they are said, and not taken over unless that is asked for.
    assert.deepEqual([back.result!.owners, back.result!.owners_added], [['user:ana@acme.example'], []]);
    assert.deepEqual((await instances.get(LOCAL_OPERATOR, 'bolo')).owners, []);
  });
});

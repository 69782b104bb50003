import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Colmeia, OperationView } from '../../src/colmeia.ts';
import type { CloneProof } from '../../src/coordination/instances/clone/clone-proof.ts';
import { createColmeia, LOCAL_OPERATOR } from '../../src/index.ts';
import { startAtlassian, type FakeAtlassian } from '../fakes/atlassian-site.ts';
import { refused } from '../flow/sample-company.ts';
import { COMPONENT_FILE, foundFull } from '../instances/full-company.ts';
import { completed, endOf } from '../instances/life.conformance.ts';

describe('a clone of a company', () => {
  let home: string;
  let atlassian: FakeAtlassian;
  let colmeia: Colmeia;
  before(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-clone-'));
    atlassian = await startAtlassian();
    const shared = { atlassianSite: atlassian.url, atlassianEmail: atlassian.email, atlassianPerMinute: 1_000_000 };
    const accounts = { ...shared, privateAddresses: true };
    colmeia = await createColmeia({ instancesFolder: path.join(home, 'instances'), accounts });
    const fleet = { secret: 'atlassian_api_token' };
    await colmeia.secrets.set(LOCAL_OPERATOR, fleet, { value: atlassian.token });
    await foundFull(colmeia, { name: 'acme', strategy: 'hybrid', atlassian });
    await foundFull(colmeia, { name: 'schema-co', strategy: 'schema', atlassian: null });
  });
  after(async () => {
    await colmeia?.close();
    await atlassian?.close();
    fs.rmSync(home, { recursive: true, force: true });
  });

  const clone = (source: string, target: string): Promise<OperationView> =>
    colmeia.instances.clone(LOCAL_OPERATOR, source, { target });
  const proofOf = (view: OperationView): CloneProof => view.result!.proof as CloneProof;

  test('it is proved equal in every part, and works by itself', async () => {
    const proof = proofOf(await completed(colmeia, clone('acme', 'acme-two')));
    assert.deepEqual(
      proof.parts.map(({ part, state, differences }) => [part, state, differences]),
      ['database', 'jira', 'confluence', 'files', 'configuration', 'secrets', 'separation'].map((part) => [
        part,
        'equal',
        [],
      ]),
    );
    assert.equal(proof.holds, true);
    assert.deepEqual(proof.tables.sale?.rows, 1_000);
    assert.deepEqual(proof.secrets_to_set, ['mail_token']);
    const folder = path.join(home, 'instances', 'acme-two');
    assert.deepEqual(JSON.parse(fs.readFileSync(path.join(folder, 'clone-proof.json'), 'utf8')), proof);
    assert.equal(fs.readFileSync(path.join(folder, COMPONENT_FILE), 'utf8'), "export const schema = 'company_acme';\n");
    const made = await colmeia.instances.get(LOCAL_OPERATOR, 'acme-two');
    assert.deepEqual([made.state, made.initialized, made.tier, made.budget_usd], ['active', true, 'gold', 7]);
    assert.ok(made.faults.some(({ code, message }) => code === 'SECRET_MISSING' && message.includes('mail_token')));
    const source = await colmeia.instances.get(LOCAL_OPERATOR, 'acme');
    const [own, other] = [made, source].map(({ resources }) => resources.map(({ kind, id }) => `${kind} ${id}`));
    assert.equal(own!.length, other!.length);
    assert.deepEqual(
      own!.filter((one) => other!.includes(one)),
      [],
    );
  });

  test('its plan has sizes and calls, and changes nothing, here or outside', async () => {
    const calls = atlassian.jira.requests.length;
    const plan = await colmeia.instances.planClone(LOCAL_OPERATOR, 'acme', { target: 'planned' });
    const made = atlassian.jira.requests
      .slice(calls)
      .filter(({ method, path: at }) => method !== 'GET' && !/search|bulkfetch|approximate/.test(at));
    assert.deepEqual(
      made.map(({ method, path: at }) => `${method} ${at}`),
      [],
    );
    const steps = new Map(plan.steps.map((step) => [step.name, step]));
    assert.deepEqual([plan.obstacles, steps.get('rows')?.rows, steps.get('issues')?.rows], [[], 1_203, 61]);
    assert.ok(steps.get('issues')!.calls! > 20 && steps.get('pages')!.calls! > 3);
    await refused(colmeia.instances.get(LOCAL_OPERATOR, 'planned'), 'INSTANCE_NOT_FOUND');
    assert.ok(!fs.existsSync(path.join(home, 'instances', 'planned')));
    const done = await completed(colmeia, clone('schema-co', 'schema-co-two'));
    const other = await colmeia.instances.planClone(LOCAL_OPERATOR, 'schema-co', { target: 'planned' });
    assert.deepEqual(
      done.steps.map(({ name }) => name),
      other.steps.map(({ name }) => name),
    );
    assert.equal(proofOf(done).holds, true);
  });

  test('what stands in the way is told at once, before anything is made', async () => {
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'raw' });
    fs.writeFileSync(path.join(home, 'instances', 'raw', 'mcp.json'), '{');
    const view = await endOf(colmeia, await clone('raw', 'raw-two'));
    assert.deepEqual([view.state, view.error?.code], ['failed', 'INSTANCE_STATE']);
    assert.match(view.error!.message, /its database is not made yet.*mcp\.json line 1/);
    assert.ok(!fs.existsSync(path.join(home, 'instances', 'raw-two')));
    const { obstacles } = await colmeia.instances.planClone(LOCAL_OPERATOR, 'raw', { target: 'raw-two' });
    assert.deepEqual(
      obstacles.map(({ code }) => code),
      ['NOT_INITIALIZED', 'JSON_INVALID'],
    );
    fs.writeFileSync(path.join(home, 'instances', 'schema-co', 'seeds', 'leak.sql'), '-- token of schema-co 12345');
    const leak = await colmeia.instances.planClone(LOCAL_OPERATOR, 'schema-co', { target: 'leak' });
    assert.deepEqual(
      leak.obstacles.map(({ code, place }) => [code, place]),
      [['SECRET_IN_FILE', 'seeds/leak.sql']],
    );
    fs.rmSync(path.join(home, 'instances', 'schema-co', 'seeds', 'leak.sql'));
    await refused(clone('acme', 'schema-co'), 'INSTANCE_EXISTS');
    await refused(clone('nobody', 'somebody'), 'INSTANCE_NOT_FOUND');
  });

  test('that differs from its source stays paused; undone, nothing of it is left and the source is as it was', async () => {
    const before = await colmeia.instances.get(LOCAL_OPERATOR, 'acme');
    let view = await clone('acme', 'wrong');
    while (view.steps.find(({ name }) => name === 'jira')!.state === 'pending')
      view = await colmeia.instances.operation(LOCAL_OPERATOR, view.id, { after_rev: view.rev, wait_ms: 10_000 });
    fs.appendFileSync(path.join(home, 'instances', 'wrong', COMPONENT_FILE), '// changed');
    view = await endOf(colmeia, view);
    assert.deepEqual([view.state, view.error?.code], ['failed', 'CLONE_DIFFERS']);
    assert.match(view.error!.message, /files: microservices\/orders\/index\.js: has other bytes/);
    assert.equal((await colmeia.instances.get(LOCAL_OPERATOR, 'wrong')).state, 'paused');
    const { resources } = await colmeia.instances.get(LOCAL_OPERATOR, 'wrong');
    const undone = await endOf(colmeia, await colmeia.instances.undoOperation(LOCAL_OPERATOR, view.id));
    assert.equal(undone.state, 'undone', JSON.stringify(undone.error));
    await refused(colmeia.instances.get(LOCAL_OPERATOR, 'wrong'), 'INSTANCE_NOT_FOUND');
    assert.ok(!fs.existsSync(path.join(home, 'instances', 'wrong')));
    const key = resources.find(({ kind }) => kind === 'jira-project')!.id;
    assert.ok(!atlassian.jira.site.projects.has(key) && !atlassian.confluence.site.spaces.has(key));
    assert.deepEqual((await colmeia.instances.get(LOCAL_OPERATOR, 'acme')).resources, before.resources);
    const said = await colmeia.audit.list(LOCAL_OPERATOR, { instance: '$system', type: 'instance.deleted' });
    assert.deepEqual(
      said.items.map(({ data }) => data?.name),
      ['wrong'],
    );
    const again = await completed(colmeia, colmeia.instances.resumeOperation(LOCAL_OPERATOR, view.id));
    assert.equal(proofOf(again).holds, true, 'resumed after that, it is made anew');
  });

  test('of a company with a site of its own it is made by the source’s credentials, and asks for its own', async () => {
    const { instances } = colmeia;
    await instances.create(LOCAL_OPERATOR, { name: 'own', strategy: 'full' });
    const { folder } = await instances.get(LOCAL_OPERATOR, 'own');
    const config = { site: atlassian.url, email: atlassian.email, api_token: 'secret:atlassian_api_token' };
    fs.writeFileSync(path.join(folder!, 'atlassian.config.json'), JSON.stringify(config));
    await colmeia.secrets.set(
      LOCAL_OPERATOR,
      { instance: 'own', secret: 'atlassian_api_token' },
      { value: atlassian.token },
    );
    await completed(colmeia, instances.init(LOCAL_OPERATOR, 'own'));
    const view = await completed(colmeia, clone('own', 'own-two'));
    const proof = proofOf(view);
    assert.deepEqual(proof.secrets_to_set, ['atlassian_api_token']);
    assert.ok(proof.holds && atlassian.jira.site.projects.size > 2);
    assert.equal(proof.parts.find(({ part }) => part === 'jira')!.state, 'equal');
    const key = (await instances.get(LOCAL_OPERATOR, 'own-two')).resources.find(({ kind }) => kind === 'jira-project')!;
    const undone = await endOf(colmeia, await instances.undoOperation(LOCAL_OPERATOR, view.id));
    assert.equal(undone.state, 'undone', JSON.stringify(undone.error));
    assert.ok(!atlassian.jira.site.projects.has(key.id));
  });

  test('the first company can be cloned once it is initialized, also where companies have no files', async () => {
    await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'default'));
    assert.equal(proofOf(await completed(colmeia, clone('default', 'of-default'))).holds, true);
    const bare = await createColmeia({});
    try {
      await completed(bare, bare.instances.init(LOCAL_OPERATOR, 'default'));
      const view = await completed(bare, bare.instances.clone(LOCAL_OPERATOR, 'default', { target: 'bare' }));
      assert.deepEqual(
        proofOf(view).parts.map(({ state }) => state),
        ['equal', 'none', 'none', 'none', 'none', 'equal', 'equal'],
      );
      await refused(bare.instances.exports.list(LOCAL_OPERATOR, {}), 'INSTANCE_STATE');
    } finally {
      await bare.close();
    }
  });
});

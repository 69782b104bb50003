// Clones on a real PostgreSQL while their source is written to, in a process that is killed at each of their steps.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import pg from 'pg';
import type { OperationView } from '../../src/colmeia.ts';
import type { CloneProof } from '../../src/coordination/instances/clone/clone-proof.ts';
import { LOCAL_OPERATOR } from '../../src/index.ts';
import { startAtlassian, type FakeAtlassian } from '../fakes/atlassian-site.ts';
import { refused } from '../flow/sample-company.ts';
import { foundFull } from '../instances/full-company.ts';
import { completed, endOf } from '../instances/life.conformance.ts';
import { ControlPlane, ControlPlaneDown } from './control-plane.ts';
import { asAdmin, openTestServer, type TestServer } from './test-server.ts';

/** Names of databases and roles are the whole server's. */
const MARK = randomBytes(3).toString('hex');
const FULL = `full-${MARK}`;
const SCHEMA = `schema-${MARK}`;

describe('clones on PostgreSQL', () => {
  let home: string;
  let server: TestServer;
  let url: string;
  let atlassian: FakeAtlassian;
  let plane: ControlPlane;

  before(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-clones-'));
    server = await openTestServer();
    url = await server.database();
    atlassian = await startAtlassian();
    plane = new ControlPlane({
      databaseUrl: url,
      instancesFolder: path.join(home, 'instances'),
      secretsKeyFile: path.join(home, 'secrets.key'),
      accounts: { atlassianSite: atlassian.url, atlassianEmail: atlassian.email, atlassianPerMinute: 1_000_000 },
      leaseDurationMs: 3_000,
    });
    await plane.start();
    const { colmeia } = plane;
    await colmeia.secrets.set(LOCAL_OPERATOR, { secret: 'atlassian_api_token' }, { value: atlassian.token });
    await foundFull(colmeia, { name: FULL, strategy: 'hybrid', atlassian });
    await foundFull(colmeia, { name: SCHEMA, strategy: 'schema', atlassian: null });
  });
  after(async () => {
    const { instances } = plane.colmeia;
    const names = plane.isUp ? (await instances.list(LOCAL_OPERATOR, {})).items.map(({ name }) => name) : [];
    for (const name of names.filter((one) => one.endsWith(MARK)))
      await endOf(plane.colmeia, await instances.remove(LOCAL_OPERATOR, name, { confirm: name, export: false }));
    await plane.close();
    await atlassian?.close();
    await server?.stop();
    fs.rmSync(home, { recursive: true, force: true });
  });

  const proofOf = (view: OperationView): CloneProof => view.result!.proof as CloneProof;
  const again = async (view: OperationView): Promise<OperationView> =>
    plane.colmeia.instances.operation(LOCAL_OPERATOR, view.id, {});

  /** Steps that are cut when some of them is done, the others as soon as they have begun. */
  const LONG = ['issues'];

  /** Follows an operation into a step and kills the process there; false = the step had ended before. */
  async function killAt(operation: OperationView, index: number): Promise<boolean> {
    let view = operation;
    let isCaught = false;
    try {
      while (view.state === 'running' || view.state === 'undoing') {
        const { name, state, share } = view.steps[index]!;
        const isEarly = state === 'running' && LONG.includes(name) && (share ?? 0) < 0.2;
        isCaught = state === 'running';
        if (state !== 'pending' && !isEarly) break;
        const query = { after_rev: view.rev, wait_ms: 10_000 };
        view = await plane.colmeia.instances.operation(LOCAL_OPERATOR, view.id, query);
      }
    } catch (error) {
      if (!(error instanceof ControlPlaneDown)) throw error;
    }
    await plane.kill();
    await plane.start();
    return isCaught;
  }

  /** Writes into the table of sales until it is told to end. */
  async function startWriter(t: TestContext, company: string) {
    const { resources } = await plane.colmeia.instances.get(LOCAL_OPERATOR, company);
    const [database, own] = ['database', 'schema'].map((kind) => resources.find((one) => one.kind === kind));
    const schema = own?.id ?? 'public';
    const place = new URL(url);
    place.pathname = database?.id ?? own!.site;
    const client = new pg.Client({ connectionString: place.href });
    await client.connect();
    const found = { writes: 0, longestMs: 0, ended: false };
    const writing = (async () => {
      while (!found.ended) {
        const from = performance.now();
        await client.query(`insert into ${schema}.sale (customer, cents) values (1, 1)`);
        found.writes++;
        found.longestMs = Math.max(found.longestMs, performance.now() - from);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    const end = async () => {
      if (!found.ended) {
        found.ended = true;
        await writing.finally(() => client.end());
      }
      return found;
    };
    t.after(end); // a test that fails must not leave it behind
    return end;
  }

  test('killed at each of its steps while the source is written to, a clone ends with its proof', async (t) => {
    const { instances } = plane.colmeia;
    const target = `copy-${MARK}`;
    const endWriter = await startWriter(t, FULL);
    const begun = await instances.clone(LOCAL_OPERATOR, FULL, { target });
    const caught: string[] = [];
    for (const [i, { name }] of begun.steps.entries())
      if (await killAt(i === 0 ? begun : await again(begun), i)) caught.push(name);
    const view = await endOf(plane.colmeia, await again(begun));
    const { writes, longestMs } = await endWriter();
    assert.equal(view.state, 'completed', JSON.stringify(view.error));
    const proof = proofOf(view);
    assert.deepEqual(
      proof.parts.filter(({ state }) => state !== 'equal'),
      [],
    );
    assert.ok(writes > 100 && proof.tables.sale!.rows > 1_000);
    t.diagnostic(
      `killed in ${caught.join(', ')}; ${writes} writes to the source, the longest ${longestMs.toFixed(0)} ms; frozen for ${proof.freeze_ms.toFixed(0)} ms`,
    );
    assert.ok(caught.includes('rows') && caught.includes('issues'), 'the long steps were cut in the middle');
    const keys = (await instances.get(LOCAL_OPERATOR, target)).resources.filter(({ kind }) => kind === 'jira-project');
    const issues = [...atlassian.jira.site.issues.values()].filter(({ project }) => project === keys[0]!.id);
    assert.equal(issues.length, 61, 'nothing was made twice');
  });

  test('a clone in a schema is proved while its source is written to; undone through a kill, nothing of it is left', async (t) => {
    const { instances } = plane.colmeia;
    const target = `schema-two-${MARK}`;
    const endWriter = await startWriter(t, SCHEMA);
    const view = await completed(plane.colmeia, instances.clone(LOCAL_OPERATOR, SCHEMA, { target }));
    const { writes } = await endWriter();
    assert.ok(writes > 10 && proofOf(view).holds);
    const { resources } = await instances.get(LOCAL_OPERATOR, target);
    const role = resources.find(({ kind }) => kind === 'role')!.id;
    const rolesNow = () =>
      asAdmin(url, async (client) => (await client.query('select from pg_roles where rolname = $1', [role])).rowCount);
    assert.equal(await rolesNow(), 1);
    await instances.undoOperation(LOCAL_OPERATOR, view.id);
    await plane.kill();
    await plane.start();
    const undone = await endOf(plane.colmeia, await again(view));
    assert.equal(undone.state, 'undone', JSON.stringify(undone.error));
    await refused(plane.colmeia.instances.get(LOCAL_OPERATOR, target), 'INSTANCE_NOT_FOUND');
    assert.equal(await rolesNow(), 0);
    assert.ok(!fs.existsSync(path.join(home, 'instances', target)));
    assert.equal((await plane.colmeia.instances.get(LOCAL_OPERATOR, SCHEMA)).state, 'active');
  });

  test('an export of a schema is imported as one, and as a database of its own on the embedded tier', async () => {
    const { instances } = plane.colmeia;
    const { result } = await completed(plane.colmeia, instances.exportTo(LOCAL_OPERATOR, SCHEMA));
    const file = result!.file as string;
    const { database } = result!.manifest as { database: { rows: number } };
    const name = `back-${MARK}`;
    const back = await completed(plane.colmeia, instances.importFrom(LOCAL_OPERATOR, { file, name }));
    assert.equal(back.result!.rows, database.rows - 1);
    const other = new ControlPlane({
      instancesFolder: path.join(home, 'embedded/instances'),
      dataFolder: path.join(home, 'embedded/data'),
    });
    await other.start();
    try {
      fs.mkdirSync(path.join(home, 'embedded/exports'));
      fs.copyFileSync(path.join(home, 'exports', file), path.join(home, 'embedded/exports', file));
      const there = await completed(other.colmeia, other.colmeia.instances.importFrom(LOCAL_OPERATOR, { file }));
      assert.equal(there.result!.rows, database.rows - 1);
      const exported = await completed(other.colmeia, other.colmeia.instances.exportTo(LOCAL_OPERATOR, SCHEMA));
      const returned = exported.result!.file as string;
      fs.copyFileSync(path.join(home, 'embedded/exports', returned), path.join(home, 'exports', returned));
      const again = await completed(
        plane.colmeia,
        instances.importFrom(LOCAL_OPERATOR, { file: returned, name: `again-${MARK}` }),
      );
      assert.equal(again.result!.rows, database.rows - 1);
    } finally {
      await other.close();
    }
  });
});

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { OperationView } from '../../../coordination/instances/instance-views.ts';
import { createColmeia, LOCAL_OPERATOR, type Colmeia } from '../../../index.ts';
import { createHttpApp, type HttpApp } from '../http-app.ts';

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-instance-routes-'));
let colmeia: Colmeia;
let http: HttpApp;
let key: string;

before(async () => {
  colmeia = await createColmeia({ instancesFolder: path.join(home, 'instances') });
  http = await createHttpApp({ colmeia, host: '127.0.0.1' });
  key = (await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator' })).key;
});
after(async () => {
  http.beginClosing();
  await http.app.close();
  await colmeia.close();
  fs.rmSync(home, { recursive: true, force: true });
});

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
const call = (method: Method, url: string, body?: object, as = key) =>
  http.app.inject({
    method,
    url: `/api/v1${url}`,
    headers: { authorization: `Bearer ${as}` },
    ...(body === undefined ? {} : { payload: body }),
  });

/** Waits on the long poll alone. */
async function ended(begun: { statusCode: number; json(): unknown }): Promise<OperationView> {
  assert.equal(begun.statusCode, 202);
  let operation = begun.json() as OperationView;
  while (operation.state === 'running' || operation.state === 'undoing') {
    const { id, rev } = operation;
    operation = (await call('GET', `/operations/${id}?after_rev=${rev}&wait_ms=30000`)).json();
    assert.ok(operation.rev > rev, 'the poll is answered by a change');
  }
  return operation;
}

describe('companies over HTTP', () => {
  it('are founded with what is asked, changed in part, and seen with figures', async () => {
    const created = await call('POST', '/instances', {
      name: 'acme',
      strategy: 'schema',
      tier: 'gold',
      budget_usd: 9.5,
    });
    assert.equal(created.statusCode, 201);
    const { strategy, tier, budget_usd, initialized } = created.json();
    assert.deepEqual([strategy, tier, budget_usd, initialized], ['schema', 'gold', 9.5, false]);
    const changed = await call('PUT', '/instances/acme', { budget_usd: null });
    assert.deepEqual([changed.json().tier, changed.json().budget_usd], ['gold', null]);
    const wrong = await call('PUT', '/instances/acme', { tier: 7, budget_usd: 'much' });
    assert.deepEqual(
      wrong.json().faults.map(({ path: at }: { path: string }) => at),
      ['body.tier', 'body.budget_usd'],
    );
    const { items } = (await call('GET', '/instances?state=active')).json();
    assert.deepEqual(
      items.map(({ name, statistics }: { name: string; statistics: object }) => [name, 'plans_open' in statistics]),
      [
        ['acme', true],
        ['default', true],
      ],
    );
  });

  it('are initialized by an operation that is followed by a long poll, and deleted only by their name', async () => {
    await call('POST', '/instances', { name: 'short-lived' });
    assert.equal((await ended(await call('POST', '/instances/short-lived/init'))).state, 'completed');
    assert.equal((await call('GET', '/instances/short-lived/stats')).json().database.tables > 0, true);
    assert.deepEqual((await call('POST', '/instances/short-lived/seed')).json(), { applied: [] });
    assert.equal((await call('DELETE', '/instances/short-lived?confirm=other')).statusCode, 400);
    const { state, result } = await ended(
      await call('DELETE', '/instances/short-lived?confirm=short-lived&export=false'),
    );
    assert.deepEqual([state, result?.exported], ['completed', null]);
    assert.equal((await call('GET', '/instances/short-lived')).statusCode, 404);
  });

  it('are planned as clones without a change, and cloned', async () => {
    await call('POST', '/instances', { name: 'origin' });
    await ended(await call('POST', '/instances/origin/init'));
    const planned = await call('POST', '/instances/origin/clone?dry_run=true', { target: 'copy' });
    assert.deepEqual([planned.statusCode, planned.json().kind], [200, 'clone']);
    assert.equal((await call('GET', '/instances/copy')).statusCode, 404);
    const cloned = await ended(await call('POST', '/instances/origin/clone', { target: 'copy' }));
    assert.equal((cloned.result as { proof: { holds: boolean } }).proof.holds, true);
    assert.equal((await ended(await call('POST', `/operations/${cloned.id}/undo`))).state, 'undone');
  });

  it('are exported into a file that is downloaded as it is', async () => {
    const { result } = await ended(await call('POST', '/instances/acme/export'));
    const { file, bytes } = result as { file: string; bytes: number };
    const download = await call('GET', `/exports/${file}`);
    assert.equal(download.headers['content-type'], 'application/octet-stream');
    assert.equal(Number(download.headers['content-length']), bytes);
    assert.deepEqual(download.rawPayload, fs.readFileSync(path.join(home, 'exports', file)));
    for (const name of ['..%2Facme%2Fconfig.json', 'config.json', '%2Fetc%2Fpasswd'])
      assert.equal((await call('GET', `/exports/${name}`)).statusCode, 400, name);
    assert.equal((await call('DELETE', `/exports/${file}`)).statusCode, 204);
    assert.deepEqual((await call('GET', '/exports')).json().items, []);
  });

  it('have owners, of whom a company’s key sees its own', async () => {
    const own = (await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'company', instance: 'acme' })).key;
    const at = '/instances/acme/owners/user%3Aana%40acme.example';
    assert.equal((await call('PUT', at, undefined, own)).statusCode, 204);
    const { items } = (await call('GET', '/instances/acme/owners', undefined, own)).json();
    assert.deepEqual(
      items.map(({ principal }: { principal: string }) => principal),
      ['user:ana@acme.example'],
    );
    assert.equal((await call('DELETE', at, undefined, own)).statusCode, 403, 'the last one');
    assert.equal((await call('DELETE', at)).statusCode, 204);
    assert.equal((await call('GET', '/instances/default/owners', undefined, own)).statusCode, 404);
  });
});

describe('a poll for an operation', () => {
  it('is answered at once with what is there when the server closes', async () => {
    const { id, rev } = (await colmeia.instances.operations(LOCAL_OPERATOR, { instance: 'acme' })).items[0]!;
    const asked = Promise.withResolvers<void>();
    const operation: Colmeia['instances']['operation'] = (who, of, query) => {
      if (!query.wait_ms) return colmeia.instances.operation(who, of, query);
      asked.resolve();
      return new Promise<never>(() => {});
    };
    const instances = { ...colmeia.instances, operation };
    const { app, beginClosing } = await createHttpApp({ colmeia: { ...colmeia, instances }, host: '127.0.0.1' });
    const poll = app.inject({
      url: `/api/v1/operations/${id}?after_rev=${rev}&wait_ms=60000`,
      headers: { authorization: `Bearer ${key}` },
    });
    await Promise.race([asked.promise, poll]);
    beginClosing();
    assert.equal((await poll).json().id, id);
    await app.close();
  });
});

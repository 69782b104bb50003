// Two operations at once over the same names, in every pair, at two processes on one PostgreSQL.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import { LOCAL_OPERATOR } from '../../src/index.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import { QUICK } from '../flow/place.ts';
import { endOf } from '../instances/life.conformance.ts';
import { ControlPlane } from './control-plane.ts';
import { asAdmin, openTestServer, type TestServer } from './test-server.ts';

type Begun = { id: string } | { name: string };
type Act = (at: Colmeia, from: string, to: string) => Promise<Begun>;

/** All of them take the company `from`, or make it `to`. */
const ACTS: Record<string, Act> = {
  create: (at, _, to) => at.instances.create(LOCAL_OPERATOR, { name: to }),
  init: (at, from) => at.instances.init(LOCAL_OPERATOR, from),
  rename: (at, from, to) => at.instances.rename(LOCAL_OPERATOR, from, { to }),
  clone: (at, from, to) => at.instances.clone(LOCAL_OPERATOR, from, { target: to }),
  remove: (at, from) => at.instances.remove(LOCAL_OPERATOR, from, { confirm: from, export: false }),
};
/** How one of two may be told that the other was first. */
const CLEAR = ['INSTANCE_BUSY', 'INSTANCE_EXISTS', 'INSTANCE_NOT_FOUND', 'INSTANCE_STATE', 'SHUTTING_DOWN'];

describe('two operations at once over the same names', () => {
  let server: TestServer;
  let home: string;
  let databaseUrl: string;
  let replicas: ControlPlane[];
  before(async () => {
    server = await openTestServer();
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-races-'));
    databaseUrl = await server.database();
    const places = {
      databaseUrl,
      secretsKeyFile: path.join(home, 'secrets.key'),
      instancesFolder: path.join(home, 'instances'),
    };
    const options = { ...QUICK, ...places, leaseDurationMs: 3_000, heartbeatIntervalMs: 1_000 };
    replicas = [new ControlPlane(options), new ControlPlane(options)];
    fs.mkdirSync(places.instancesFolder);
    for (const replica of replicas) await replica.start();
  });
  after(async () => {
    await Promise.all((replicas ?? []).map((replica) => replica.close()));
    await server?.stop();
    fs.rmSync(home, { recursive: true, force: true });
  });

  const names = async (): Promise<string[]> => {
    const { items } = await replicas[0]!.colmeia.instances.list(LOCAL_OPERATOR, { limit: 100 });
    return items.map(({ name }) => name);
  };
  /** Whatever there is of companies outside of Colmeia's own tables. */
  const things = async (): Promise<{ databases: number; roles: number; folders: string[] }> => {
    const [row] = await asAdmin(databaseUrl, async (client) => {
      const text = `select (select count(*)::int from pg_database where datname like 'colmeia\\_company\\_%') as databases,
        (select count(*)::int from pg_roles where rolname like 'company\\_%') as roles`;
      return (await client.query(text)).rows as { databases: number; roles: number }[];
    });
    const folders = fs.readdirSync(path.join(home, 'instances')).filter((name) => name !== '.schemas');
    return { ...row!, folders };
  };

  async function race(pair: readonly [string, string], n: number): Promise<string> {
    const [from, to] = [`from-${n}`, `to-${n}`];
    const { instances } = replicas[0]!.colmeia;
    await instances.create(LOCAL_OPERATOR, { name: from });
    await endOf(replicas[0]!.colmeia, await instances.init(LOCAL_OPERATOR, from));
    const outcomes = await Promise.all(
      pair.map(async (act, i) => {
        const { colmeia } = replicas[i]!;
        try {
          const begun = await ACTS[act]!(colmeia, from, to);
          if (!('id' in begun)) return 'completed';
          const { state, error } = await endOf(colmeia, begun as never);
          if (state !== 'completed') assert.ok(CLEAR.includes(error!.code), `${act}: ${JSON.stringify(error)}`);
          return state;
        } catch (error) {
          if (!isColmeiaError(error)) throw error;
          assert.ok(CLEAR.includes(error.code), `${act}: ${error.code} ${error.message}`);
          return error.code;
        }
      }),
    );
    assert.ok(outcomes.includes('completed'), `${pair.join(' and ')}: ${outcomes.join(', ')}`);
    // What is there is whole and can be deleted.
    for (const name of await names()) {
      if (name === 'default') continue;
      const view = await instances.remove(LOCAL_OPERATOR, name, { confirm: name, export: false });
      const { state, error } = await endOf(replicas[0]!.colmeia, view);
      assert.equal(state, 'completed', `${pair.join(' and ')}: ${name}: ${JSON.stringify(error)}`);
    }
    return outcomes.join(', ');
  }

  const acts = Object.keys(ACTS);
  const pairs = acts.flatMap((one, i) => acts.slice(i).map((other) => [one, other] as const));
  test('one of the two at least succeeds, the other is told why not, and nothing is left of either', async (t) => {
    const before = await things();
    for (const [n, pair] of pairs.entries()) {
      t.diagnostic(`${pair.join(' and ')}: ${await race(pair, n)}`);
      assert.deepEqual(await things(), before, `left by ${pair.join(' and ')}`);
    }
    assert.deepEqual(await names(), ['default']);
  });
});

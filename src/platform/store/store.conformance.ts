import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { isColmeiaError } from '../errors.ts';
import { type Store } from './store.ts';

/** Arguments of colmeia_flush by name; what is left out is an empty array. */
export type Flush = Record<string, readonly unknown[]>;
export type Flusher = { flush(named: Flush): Promise<void>; args(named: Flush): string[] };

/** Reads the names of the parameters once, so that the tests do not hang on their order. */
export async function flusherOf(store: Store): Promise<Flusher> {
  const [row] = await store.read({ as: 'coordinator' }, (sql) =>
    sql.query<{ names: string[] }>(`select proargnames as names from pg_proc where oid = 'colmeia_flush'::regproc`),
  );
  const literal = (values: readonly unknown[]): string =>
    `{${values.map((value) => (value === null ? 'NULL' : JSON.stringify(String(value)))).join(',')}}`;
  const args = (named: Flush): string[] => {
    for (const name of Object.keys(named)) assert.ok(row!.names.includes(name), `colmeia_flush has no ${name}`);
    return row!.names.map((name) => literal(named[name] ?? []));
  };
  return { args, flush: (named) => store.flush(args(named)) };
}

/** One row of the journal of `instance`. */
export function journalRow(instance: string, seq: number, plans: number[] = []): Flush {
  return {
    j_instance: [instance],
    j_seq: [seq],
    j_at: ['2026-11-21T12:00:00Z'],
    j_plans: [`{${plans.join(',')}}`],
    j_body: [`{"type":"test","text":"ação \\"quoted\\""}`],
    j_hash: [`hash-${seq}`],
    j_events: [seq],
    j_given: [plans.length],
  };
}

export function newPlan(instance: string, key: number, id: string): Flush {
  return {
    p_key: [key],
    p_instance: [instance],
    p_id: [id],
    p_status: ['running'],
    p_flow: [1],
    p_digest: ['digest'],
    p_decision: ['{"decision_id":"d","text":"\\u00e9 \\\\ \\""}'],
    p_header: ['{}'],
    p_control: ['null'],
    p_tickets: [1],
    p_created: [1_795_000_000_000],
    p_ended: [null],
    p_result: [null],
  };
}

export function newTicket(instance: string, plan: number, n: number): Flush {
  return {
    t_plan: [plan],
    t_n: [n],
    t_instance: [instance],
    t_status: ['PENDING'],
    t_spec: ['{"task_type":"BUILD"}'],
    t_deps: ['{}'],
    t_agent: [null],
    t_fence: [0],
    t_attempt: [0],
    t_deadline: [1_795_000_060_000],
    t_started: [null],
    t_ended: [null],
    t_note: [null],
  };
}

export async function addInstances(store: Store, ...names: string[]): Promise<void> {
  await store.write({ as: 'coordinator' }, async (sql) => {
    await sql.query('insert into instance (name) select unnest($1::text[])', [names]);
    await sql.query('insert into journal_head (instance) select unnest($1::text[])', [names]);
  });
}

const sqlState = (code: string) => (error: unknown) => (error as { code?: string }).code === code;
const COORDINATOR = { as: 'coordinator' } as const;
const ENGINE = { as: 'engine' } as const;
const company = (instance: string) => ({ as: 'company', instance }) as const;

/** What every store does, embedded or not. `open` gives a fresh, migrated database. */
export function storeConformance(name: string, open: () => Promise<{ store: Store; end: () => Promise<void> }>): void {
  describe(`${name} is a store`, () => {
    let store: Store;
    let end: () => Promise<void>;
    let flusher: Flusher;

    before(async () => {
      ({ store, end } = await open());
      flusher = await flusherOf(store);
      await addInstances(store, 'alfa', 'beta');
      for (const [i, instance] of ['alfa', 'beta'].entries()) {
        const key = i + 1;
        const tickets = newTicket(instance, key, 1);
        await flusher.flush({
          ...newPlan(instance, key, `plan-${key}`),
          ...tickets,
          ...journalRow(instance, 1, [key]),
        });
      }
    });
    after(() => end());

    test('a company sees its own rows and no other', async () => {
      for (const table of ['plan', 'ticket', 'journal']) {
        const rows = await store.read(company('alfa'), (sql) => sql.query(`select instance from ${table}`));
        assert.deepEqual(rows, [{ instance: 'alfa' }], table);
      }
      const instances = await store.read(company('alfa'), (sql) => sql.query('select name from instance'));
      assert.deepEqual(instances, [{ name: 'alfa' }]);
    });

    test('a company whose name is full of quotes is a company that does not exist', async () => {
      for (const instance of [`alfa' or ''='`, `alfa"`, `\\' ; --`, '', 'ação']) {
        assert.deepEqual(await store.read(company(instance), (sql) => sql.query('select * from plan')), [], instance);
      }
    });

    test('a company may write nothing', async () => {
      const write = store.write(company('alfa'), (sql) => sql.query(`update plan set status = 'x'`));
      await assert.rejects(write, sqlState('42501'));
    });

    test('a company may not read the hash of a key', async () => {
      const read = store.read(company('alfa'), (sql) => sql.query('select hash from api_key'));
      await assert.rejects(read, sqlState('42501'));
    });

    test('the engine appends to the journal and never changes it', async () => {
      for (const change of [`update journal set body = ''`, 'delete from journal', 'truncate journal']) {
        await assert.rejects(
          store.write(ENGINE, (sql) => sql.query(change)),
          sqlState('42501'),
          change,
        );
      }
    });

    test('a transaction that has ended runs nothing more', async () => {
      let kept: Parameters<Parameters<Store['read']>[1]>[0] | undefined;
      await store.read(COORDINATOR, async (sql) => void (kept = sql));
      await assert.rejects(kept!.query('select 1'), /no statement runs without its scope/);
    });

    test('a scope ends with its transaction', async () => {
      await store.read(company('alfa'), (sql) => sql.query('select 1'));
      const [row] = await store.read(COORDINATOR, (sql) =>
        sql.query('select current_user::text as who, count(*) as n from plan'),
      );
      assert.deepEqual(row, { who: 'colmeia_coordinator', n: 2 });
    });

    test('a text holds one statement, so it cannot leave its transaction', async () => {
      const read = store.read(company('alfa'), (sql) => sql.query('commit; select * from plan'));
      await assert.rejects(read, sqlState('42601'));
    });

    test('a read refuses to write', async () => {
      const read = store.read(COORDINATOR, (sql) => sql.query(`insert into instance (name) values ('gama')`));
      await assert.rejects(read, sqlState('25006'));
    });

    test('what work throws rolls the transaction back', async () => {
      const oops = new Error('oops');
      const write = store.write(COORDINATOR, async (sql) => {
        await sql.query(`insert into instance (name) values ('gama')`);
        throw oops;
      });
      await assert.rejects(write, oops);
      assert.deepEqual(
        await store.read(COORDINATOR, (sql) => sql.query(`select 1 from instance where name = 'gama'`)),
        [],
      );
    });

    test('an error of SQL that work hides does not commit', async () => {
      const write = store.write(COORDINATOR, async (sql) => {
        await sql.query(`insert into instance (name) values ('gama')`);
        await sql.query('select 1 / 0').catch(() => undefined);
      });
      await assert.rejects(write, /was rolled back/);
      assert.deepEqual(
        await store.read(COORDINATOR, (sql) => sql.query(`select 1 from instance where name = 'gama'`)),
        [],
      );
    });

    test('an error of SQL carries its code, table and constraint', async () => {
      const write = store.write(COORDINATOR, (sql) => sql.query(`insert into instance (name) values ('alfa')`));
      await assert.rejects(write, { code: '23505', table: 'instance', constraint: 'instance_pkey' });
    });

    test('values come back as the types that were promised', async () => {
      const values = [
        2 ** 52,
        { a: ['é', null] },
        new Date('2026-11-21T12:00:00.123Z'),
        [1, null, 2 ** 40],
        Buffer.from([0, 255]),
      ];
      const [row] = await store.read(COORDINATOR, (sql) =>
        sql.query(
          `select $1::int8 as int8, $2::jsonb as jsonb, $2::json as json, $3::timestamptz as time, $4::int8[] as int8s,
             $5::bytea as bytes, true as yes, null as nothing, 1.5::float8 as float, 1.50::numeric as exact, count(*) as n,
             array['a"b', 'c\\d', 'null', null, ''] as texts, '{{1,2},{3,4}}'::int4[] as nested, '{}'::text[] as none,
             array['{"k":1}'::jsonb] as jsons, '2026-11-21'::date as day`,
          values,
        ),
      );
      assert.deepEqual(
        { ...row, bytes: [...(row!.bytes as Uint8Array)] },
        {
          int8: 2 ** 52,
          jsonb: { a: ['é', null] },
          json: { a: ['é', null] },
          time: new Date('2026-11-21T12:00:00.123Z'),
          int8s: [1, null, 2 ** 40],
          bytes: [0, 255],
          yes: true,
          nothing: null,
          float: 1.5,
          exact: '1.50',
          n: 1,
          texts: ['a"b', 'c\\d', 'null', null, ''],
          nested: [
            [1, 2],
            [3, 4],
          ],
          none: [],
          jsons: [{ k: 1 }],
          day: '2026-11-21',
        },
      );
    });

    test('texts of any form go in and come out as they are', async () => {
      const texts = [`'"\\{},`, '', 'NULL', 'ação 🐝\n\t', '$1', 'x'.repeat(100_000)];
      const [row] = await store.read(COORDINATOR, (sql) =>
        sql.query('select $1::text[] as texts, $2::text as one', [texts, texts[0]]),
      );
      assert.deepEqual(row, { texts, one: texts[0] });
    });

    test('a flush makes plans, tickets and the journal true together', async () => {
      const plans = await store.read(ENGINE, (sql) =>
        sql.query(`select key, id, decision, rev from plan where instance = 'alfa'`),
      );
      assert.deepEqual(plans, [{ key: 1, id: 'plan-1', decision: { decision_id: 'd', text: 'é \\ "' }, rev: 1 }]);
      const [row] = await store.read(ENGINE, (sql) =>
        sql.query(`select seq, plans, body from journal where instance = 'alfa'`),
      );
      assert.deepEqual(row, { seq: 1, plans: [1], body: `{"type":"test","text":"ação \\"quoted\\""}` });
      const [head] = await store.read(ENGINE, (sql) =>
        sql.query(`select seq, hash from journal_head where instance = 'alfa'`),
      );
      assert.deepEqual(head, { seq: 1, hash: 'hash-1' });
    });

    const ticketChange = (fence: number): Flush => ({
      x_plan: [1],
      x_n: [1],
      x_was: ['PENDING'],
      x_fence: [fence],
      x_status: ['RUNNING'],
      x_agent: ['agent'],
      x_newfence: [1],
      x_attempt: [1],
      x_due: [null],
      x_deadline: [1],
      x_started: [1],
      x_ended: [null],
      x_note: [null],
      x_result: [null],
    });

    test('a flush with a stale fencing token changes nothing', async () => {
      await assert.rejects(flusher.flush({ ...ticketChange(7), ...journalRow('alfa', 2) }), sqlState('CM001'));
      const [row] = await store.read(ENGINE, (sql) =>
        sql.query(`select max(seq) as seq from journal where instance = 'alfa'`),
      );
      assert.equal(row!.seq, 1);
    });

    test('a flush with a stale revision of a plan changes nothing', async () => {
      const plan = {
        u_key: [1],
        u_rev: [9],
        u_status: ['completed'],
        u_control: ['null'],
        u_ended: [5],
        u_result: ['{}'],
      };
      await assert.rejects(flusher.flush({ ...plan, ...journalRow('alfa', 2) }), sqlState('CM001'));
    });

    test('a second writer of a journal meets its key, and one that runs ahead its head', async () => {
      await assert.rejects(flusher.flush(journalRow('alfa', 1)), sqlState('23505'));
      await assert.rejects(flusher.flush(journalRow('alfa', 5)), sqlState('CM001'));
    });

    test('a flush of the wrong number of arrays is refused', async () => {
      await assert.rejects(store.flush(['{}']), /takes \d+ arrays, not 1/);
    });

    test('flushes are made in the order of their calls, whatever reads run beside them', async () => {
      const flushes = Array.from({ length: 20 }, (_, i) => flusher.flush(journalRow('beta', i + 2)));
      const reads = Array.from({ length: 20 }, () =>
        store.read(COORDINATOR, (sql) => sql.query('select count(*) as n from plan')),
      );
      await Promise.all([...flushes, ...reads]);
      const [row] = await store.read(ENGINE, (sql) =>
        sql.query(`select seq from journal_head where instance = 'beta'`),
      );
      assert.equal(row!.seq, 21);
    });

    test('a notice reaches every listener of its channel until it stops', { timeout: 5_000 }, async () => {
      const heard: string[] = [];
      let wake = (): void => undefined;
      const listener = (who: string) => (payload: string) => {
        heard.push(`${who}:${payload}`);
        wake();
      };
      const until = async (n: number): Promise<void> => {
        while (heard.length < n) await new Promise<void>((resolve) => (wake = resolve));
      };
      const stopOne = await store.listen('Odd "channel"', listener('one'));
      const stopTwo = await store.listen('Odd "channel"', listener('two'));
      await store.notify('Odd "channel"', `it's \\ "ação"`);
      await store.notify('other', 'unheard');
      await until(2);
      stopOne();
      await store.notify('Odd "channel"', 'again');
      await until(3);
      stopTwo();
      assert.deepEqual(heard, [`one:it's \\ "ação"`, `two:it's \\ "ação"`, 'two:again']);
      await assert.rejects(store.notify('c', 'é'.repeat(4_000)), RangeError);
    });

    test('the owner of the tables has no policy: every table forces row level security', async () => {
      const rows = await store.read(COORDINATOR, (sql) =>
        sql.query(
          `select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
             and not (relrowsecurity and (relforcerowsecurity or relname = 'schema_migration'))`,
        ),
      );
      assert.deepEqual(rows, []);
    });

    test('while nothing is wrong it is available', () => {
      assert.equal(store.unavailable(), null);
    });

    test('after close every call says that it is not available', async () => {
      const other = await open();
      const underWay = other.store.read(COORDINATOR, (sql) => sql.query('select 1 as one'));
      await other.store.close();
      await other.store.close();
      assert.deepEqual(await underWay, [{ one: 1 }]);
      const gone = (error: unknown): boolean =>
        isColmeiaError(error, 'STORE_UNAVAILABLE') && error.message.includes('not available');
      await assert.rejects(
        other.store.read(COORDINATOR, (sql) => sql.query('select 1')),
        gone,
      );
      await assert.rejects(other.store.flush([]), gone);
      await assert.rejects(other.store.notify('c', ''), gone);
      assert.notEqual(other.store.unavailable(), null);
      await other.end();
    });
  });
}

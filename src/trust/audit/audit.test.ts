import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { appendOne } from '../../execution/flow/flow-store.ts';
import { isColmeiaError } from '../../platform/errors.ts';
import { PgliteSession } from '../../platform/store/pglite-session.ts';
import type { Scope, Store } from '../../platform/store/store.ts';
import { inTransaction } from '../../platform/store/transaction.ts';
import { EMPTY_HEAD, type JournalEvent } from './journal.ts';
import { listEvents, type AuditQuery } from './list-events.ts';
import { verifyJournal } from './verify-journal.ts';

const OPERATOR: Scope = { as: 'coordinator' };
const START = Date.UTC(2026, 0, 1);

/** The owner's connection beside the store: what an intruder with the database would have. */
let owner: PgliteSession;
let store: Store;

before(async () => {
  owner = await PgliteSession.open(null, 16);
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn =
    <T>(mode: 'read' | 'write') =>
    (scope: Scope, work: Parameters<Store['read']>[1]): Promise<T> => {
      const done = turn.then(() => inTransaction(owner, scope, mode, work, { deadlineMs: 30_000 }));
      turn = done.catch(() => undefined);
      return done as Promise<T>;
    };
  store = { tier: 'embedded', read: inTurn('read'), write: inTurn('write') } as unknown as Store;
});
after(() => owner.close());

async function company(name: string): Promise<string> {
  await owner.query('insert into instance (name) values ($1)', [name]);
  await owner.query('insert into journal_head (instance) values ($1)', [name]);
  return name;
}

/** `rows` commits, a minute apart, of two events each. */
async function history(name: string, rows: number, events = twoEvents): Promise<void> {
  await company(name);
  let head = EMPTY_HEAD;
  for (let row = 1; row <= rows; row++)
    head = await appendOne(store, name, head, new Date(START + row * 60_000), events(row), []);
}

const twoEvents = (row: number): JournalEvent[] => [
  { type: 'plan.received', by: 'company:a:key', plan: `p${row}` },
  { type: 'ticket.leased', by: 'engine', plan: `p${row}`, ticket: 0, data: { row } },
];

async function listAll(scope: Scope, query: AuditQuery): Promise<string[]> {
  const seen: string[] = [];
  let pages = 0;
  for (let after: string | undefined = query.after; ;) {
    const page = await listEvents(store, scope, { ...query, after });
    assert.ok(page.items.length <= (query.limit ?? 50));
    seen.push(...page.items.map((event) => `${event.instance}/${event.n}`));
    if (page.next === null) return seen;
    after = page.next;
    assert.ok(++pages < 1_000, 'the pages end');
  }
}

describe('verifyJournal', () => {
  const tamper = async (name: string, text: string): Promise<string> => {
    await history(name, 7);
    assert.deepEqual(await verifyJournal(store, OPERATOR, name), {
      instance: name,
      ok: true,
      rows: 7,
      events: 14,
      fault: null,
    });
    await owner.query(text.replaceAll('$1', `'${name}'`), []);
    const verdict = await verifyJournal(store, OPERATOR, name);
    assert.equal(verdict.ok, false);
    return verdict.fault!;
  };

  test('holds for a chain longer than a page, whoever may see it', async () => {
    await history('long', 1_203);
    for (const scope of [OPERATOR, { as: 'company', instance: 'long' }] satisfies Scope[]) {
      assert.deepEqual(await verifyJournal(store, scope, 'long'), {
        instance: 'long',
        ok: true,
        rows: 1_203,
        events: 2_406,
        fault: null,
      });
    }
  });
  test('finds a changed event', async () => {
    const fault = await tamper(
      'changed',
      `update journal set body = replace(body, 'company:a', 'company:b') where instance = $1 and seq = 4`,
    );
    assert.match(fault, /^row 4 was changed/);
  });
  test('finds a changed time', async () => {
    assert.match(
      await tamper('moved', `update journal set at = at + interval '1 s' where instance = $1 and seq = 1`),
      /^row 1 was changed/,
    );
  });
  test('finds a row that was changed together with its hash', async () => {
    const text = `update journal set body = replace(body, 'engine', 'nobody'), hash = encode(sha256('x'), 'hex') where instance = $1 and seq = 4`;
    assert.match(await tamper('rehashed', text), /^row 4 was changed/);
  });
  test('finds a missing row', async () => {
    assert.equal(
      await tamper('removed', 'delete from journal where instance = $1 and seq = 3'),
      'row 3 is missing: after row 2 comes row 4',
    );
  });
  test('finds the first rows missing', async () => {
    assert.match(
      await tamper('beheaded', 'delete from journal where instance = $1 and seq < 3'),
      /^rows 1 to 2 are missing/,
    );
  });
  test('finds rows in another order', async () => {
    const fault = await tamper(
      'swapped',
      `update journal set seq = case seq when 3 then 104 else 103 end where instance = $1 and seq in (3, 4)`,
    );
    assert.match(fault, /^rows 3 to 4 are missing/);
    await owner.query(`update journal set seq = seq - 100 where instance = 'swapped' and seq > 100`, []);
    assert.match((await verifyJournal(store, OPERATOR, 'swapped')).fault!, /^row 3 is out of its place/);
  });
  test('finds rows that were renumbered to hide a removed one', async () => {
    await history('renumbered', 7);
    await owner.query(`delete from journal where instance = 'renumbered' and seq = 3`, []);
    for (let seq = 4; seq <= 7; seq++)
      await owner.query(`update journal set seq = seq - 1 where instance = 'renumbered' and seq = $1`, [seq]);
    await owner.query(`update journal_head set seq = 6 where instance = 'renumbered'`, []);
    assert.match(
      (await verifyJournal(store, OPERATOR, 'renumbered')).fault!,
      /^row 3 is out of its place \(reordered or renumbered\)/,
    );
  });
  test('finds an end that was cut off', async () => {
    const fault = await tamper('cut', 'delete from journal where instance = $1 and seq > 5');
    assert.equal(fault, 'rows 6 to 7 are missing: the journal was cut off after row 5, the head says 7');
  });
  test('finds a cut off end whose head was set back but for the hash', async () => {
    await history('setback', 7);
    await owner.query(`delete from journal where instance = 'setback' and seq > 5`, []);
    await owner.query(`update journal_head set seq = 5, events = 10 where instance = 'setback'`, []);
    assert.match((await verifyJournal(store, OPERATOR, 'setback')).fault!, /^the head does not match row 5/);
  });
  test('finds a row behind the head, and a head that counts wrong', async () => {
    const added = `insert into journal select instance, 8, at, plans, body, hash from journal where instance = $1 and seq = 7`;
    assert.match(await tamper('added', added), /^row 8 stands after the end of the chain/);
    await owner.query(`delete from journal where instance = 'added' and seq = 8`, []);
    assert.match(
      await tamper('miscounted', 'update journal_head set events = 15 where instance = $1'),
      /^the head counts 15 events/,
    );
  });
  test('tells a company nothing of another, nor of what is not there', async () => {
    const nothing = { ok: true, rows: 0, events: 0, fault: null };
    assert.deepEqual(await verifyJournal(store, { as: 'company', instance: 'long' }, 'cut'), {
      instance: 'cut',
      ...nothing,
    });
    assert.deepEqual(await verifyJournal(store, OPERATOR, 'nowhere'), { instance: 'nowhere', ...nothing });
  });
});

describe('listEvents', () => {
  test('pages through one company from new to old, each event once', async () => {
    await history('paged', 260);
    const expected = Array.from({ length: 520 }, (_, i) => `paged/${520 - i}`);
    for (const limit of [100, 7]) assert.deepEqual(await listAll(OPERATOR, { instance: 'paged', limit }), expected);
  });
  test('filters by actor, type and time, and still comes to its end', async () => {
    const query = { instance: 'paged', actor: 'company:', type: 'plan.' };
    assert.equal((await listAll(OPERATOR, query)).length, 260);
    assert.deepEqual(await listAll(OPERATOR, { ...query, actor: 'agent:' }), []);
    const from = START + 20 * 60_000;
    assert.deepEqual(await listAll(OPERATOR, { ...query, from, to: from + 60_000 }), ['paged/41', 'paged/39']);
    assert.deepEqual(await listAll(OPERATOR, { ...query, from, to: from - 1 }), []);
  });
  test('lists all companies by time, each event once', async () => {
    const all = { from: START, to: START + 7 * 60_000, limit: 9 };
    const seen = await listAll(OPERATOR, all);
    assert.equal(new Set(seen).size, seen.length);
    const [{ rows }] = (await owner.query(`select count(*) as rows from journal where at between $1 and $2`, [
      new Date(all.from),
      new Date(all.to),
    ])) as [{ rows: number }];
    assert.equal(seen.length, 2 * rows);
    const { items } = await listEvents(store, OPERATOR, { limit: 100 });
    assert.deepEqual(
      items.map((event) => event.at),
      items.map((event) => event.at).sort((a, b) => Number(b) - Number(a)),
    );
    assert.equal(items[0].instance, 'long');
  });
  test('finds the events of a plan by its key', async () => {
    await history('planned', 300);
    const [{ no }] = (await owner.query(`select no from instance where name = 'planned'`, [])) as [{ no: number }];
    const key = no * 2 ** 32 + 1;
    await owner.query(
      `insert into plan (key, instance, id, status, flow, digest, decision, header, control, tickets, created_at)
       values ($1, 'planned', 'p5', 'running', 1, '', '{}', '{}', '{}', 1, 0)`,
      [key],
    );
    await owner.query(`update journal set plans = array[$1::int8] where instance = 'planned' and seq in (5, 200)`, [
      key,
    ]);
    assert.deepEqual(await listAll(OPERATOR, { plan_id: 'p5', limit: 1 }), ['planned/10', 'planned/9']);
    assert.deepEqual(await listAll({ as: 'company', instance: 'planned' }, { plan_id: 'p5', type: 'plan.' }), [
      'planned/9',
    ]);
    assert.deepEqual(await listAll({ as: 'company', instance: 'paged' }, { plan_id: 'p5' }), []);
    assert.deepEqual(await listAll(OPERATOR, { plan_id: 'p5', instance: 'paged' }), []);
  });
  test('goes on behind rows larger than what one call may look at', async () => {
    await history('large', 4, (row) => [
      { type: 'x', by: 'engine', data: { text: 'x'.repeat(row === 2 ? 3_000_000 : 1_200_000) } },
    ]);
    assert.deepEqual(await listAll(OPERATOR, { instance: 'large', limit: 1 }), [
      'large/4',
      'large/3',
      'large/2',
      'large/1',
    ]);
    assert.equal((await listAll(OPERATOR, { limit: 100, type: 'x' })).length, 4);
  });
  test('shows a company its own events only', async () => {
    const mine = await listEvents(store, { as: 'company', instance: 'paged' }, {});
    assert.ok(mine.items.length === 50 && mine.items.every((event) => event.instance === 'paged'));
    assert.deepEqual(await listEvents(store, { as: 'company', instance: 'paged' }, { instance: 'long' }), {
      items: [],
      next: null,
    });
  });
  test('names what is wrong with a query', async () => {
    const faulty = listEvents(store, OPERATOR, { limit: 101, after: 'x', from: 0.5 });
    await assert.rejects(
      faulty,
      (error) =>
        isColmeiaError(error, 'INVALID_REQUEST') &&
        error.faults.map((fault) => fault.path).join() === 'limit,from,after',
    );
  });
});

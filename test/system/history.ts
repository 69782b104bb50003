import assert from 'node:assert/strict';
import { readHeads, readRows, type BusEvent, eventsOf } from '../../src/platform/bus/journal-reader.ts';
import { openStore, type StoreOptions } from '../../src/platform/store/open-store.ts';
import { verifyJournal } from '../../src/trust/audit/verify-journal.ts';
import type { Load } from './load.ts';

const ENGINE = { as: 'engine' } as const;
const ENDS = new Set(['plan.completed', 'plan.failed', 'plan.compensated', 'plan.cancelled', 'plan.rejected']);
const nameOf = (instance: string, plan: string, ticket?: number): string =>
  `${instance}/${plan}${ticket === undefined ? '' : `/${ticket}`}`;

/** What a database says happened, read without the flow engine. */
export type History = {
  /** company/plan → its status in its row. */
  plans: Map<string, string>;
  /** company/plan → its end, as its journal has it. */
  ends: Map<string, string>;
  received: Map<string, number>;
  /** company/plan/ticket → token of the attempt that counted. */
  completed: Map<string, number>;
  /** company/plan → what ended attempts without a result, in order. */
  lost: Map<string, string[]>;
  events: number;
};

/**
 * Reads the whole database and checks what must hold of any history: rows and events of each company without a gap, the
 * chain intact, each ticket completed once and leased only after what it depends on, nothing said of a plan after its end.
 */
export async function readHistory(options: Pick<StoreOptions, 'databaseUrl' | 'dataFolder'>): Promise<History> {
  const store = await openStore(options);
  try {
    const rows = await store.read(ENGINE, (sql) => sql.query('select instance, id, status from plan'));
    const plans = new Map(
      rows.map(({ instance, id, status }) => [nameOf(instance as string, id as string), status as string]),
    );
    const tickets = await store.read(ENGINE, (sql) =>
      sql.query('select p.instance, p.id, t.n, t.deps, t.status from ticket t join plan p on p.key = t.plan'),
    );
    const deps = new Map(
      tickets.map(({ instance, id, n, deps }) => [
        nameOf(instance as string, id as string, n as number),
        deps as number[],
      ]),
    );
    const history: History = {
      plans,
      ends: new Map(),
      received: new Map(),
      completed: new Map(),
      lost: new Map(),
      events: 0,
    };
    for (const instance of (await readHeads(store, ENGINE, null)).keys()) {
      const verdict = await verifyJournal(store, { as: 'coordinator' }, instance);
      assert.ok(verdict.ok, `the chain of ${instance} is broken: ${verdict.fault}`);
      let [seq, n] = [0, 0];
      for (;;) {
        const page = await readRows(store, ENGINE, instance, seq);
        if (page.length === 0) break;
        for (const row of page) {
          assert.equal(row.seq, ++seq, `the journal of ${instance} has a gap`);
          for (const event of eventsOf(row)) {
            assert.equal(event.n, ++n, `the events of ${instance} have a gap`);
            take(history, deps, event);
          }
        }
      }
    }
    for (const { instance, id, n, status } of tickets) {
      const name = nameOf(instance as string, id as string, n as number);
      assert.equal(
        status === 'completed',
        history.completed.has(name),
        `${name} is ${status}, its journal says otherwise`,
      );
    }
    for (const [plan, status] of plans) {
      const end = history.ends.get(plan);
      if (end !== undefined) assert.equal(status, end, `${plan} is ${status}, its journal says ${end}`);
    }
    return history;
  } finally {
    await store.close();
  }
}

function take(history: History, deps: Map<string, number[]>, { instance, plan, ticket, type, data }: BusEvent): void {
  history.events++;
  if (plan === undefined) return;
  const name = nameOf(instance, plan);
  assert.ok(!history.ends.has(name), `${type} of ${name} after its end`);
  if (ENDS.has(type)) history.ends.set(name, type.slice('plan.'.length));
  if (type === 'plan.received') history.received.set(name, (history.received.get(name) ?? 0) + 1);
  if (ticket === undefined) return;
  const ticketName = nameOf(instance, plan, ticket);
  if (data?.error !== undefined)
    history.lost.set(name, [
      ...(history.lost.get(name) ?? []),
      `${type} at ${String(data.agent)}: ${String(data.error)}`,
    ]);
  if (type === 'ticket.leased')
    for (const dep of deps.get(ticketName) ?? [])
      assert.ok(history.completed.has(nameOf(instance, plan, dep)), `${ticketName} was leased before ${dep} completed`);
  if (type !== 'ticket.completed') return;
  assert.ok(!history.completed.has(ticketName), `${ticketName} completed twice`);
  history.completed.set(ticketName, data!.fence as number);
}

/** What is missing of that which was acknowledged. */
export function lostOf(load: Pick<Load, 'accepted' | 'results'>, { received, completed }: History): string[] {
  const decisions = [...load.accepted].filter(([plan, { instance }]) => received.get(nameOf(instance, plan)) !== 1);
  const results = load.results.filter(
    ({ instance, plan, ticket, fence }) => completed.get(nameOf(instance, plan, ticket)) !== fence,
  );
  return [
    ...decisions.map(([plan, { instance }]) => `decision ${nameOf(instance, plan)}`),
    ...results.map(({ instance, plan, ticket, fence }) => `result ${nameOf(instance, plan, ticket)} under ${fence}`),
  ];
}

export function assertNothingLost(load: Pick<Load, 'accepted' | 'results' | 'surprises'>, history: History): void {
  assert.deepEqual(lostOf(load, history), []);
  assert.deepEqual([...new Set(load.surprises)], []);
}

/** Every plan has ended well. */
export function assertAllCompleted(history: History): void {
  assert.deepEqual(
    [...history.plans]
      .filter(([, status]) => status !== 'completed')
      .map(([plan, status]) => [plan, status, ...(history.lost.get(plan) ?? [])]),
    [],
  );
}

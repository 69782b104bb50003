// 100,000 plans that have ended: what they cost to those who read, and to the work that goes on. The engine itself makes them.
// Baselines: throughput of an empty store in the same minutes; reads: `select 1` over HTTP through the same kind of store.
import fs from 'node:fs';
import path from 'node:path';
import { createColmeia } from '../src/index.ts';
import { findPlansById, findTicket, listPlans, listTickets, listTicketsOf } from '../src/execution/plans/plan-store.ts';
import { openStore } from '../src/platform/store/open-store.ts';
import type { Scope, Sql, Store } from '../src/platform/store/store.ts';
import { startBareServer } from './bare-http.ts';
import { createCompanies, startChainLoad, type Load } from './chain-load.ts';
import { HttpClient } from './http-client.ts';
import { Places, temporaryFolder, type Place, type PlaceKind, UNCAPPED } from './places.ts';
import type { BenchContext } from './row.ts';
import { startServer } from './server-process.ts';
import { median, quantile, rounded } from './statistics.ts';

const PLANS = Number(process.env.COLMEIA_BENCH_PLANS ?? 100_000);
const FILL_CLIENTS = 200;
const FILL_DEADLINE_MS = 360_000;
const COMPANIES = 20;
const STEPS = 5;
const ROUNDS = 3;
const MEASURE_MS = 3_000;
const READS = 400;
/** For one kind of read; slow ones are then few. */
const READ_MS = 6_000;

export async function bench(context: BenchContext): Promise<void> {
  const places = new Places();
  try {
    for (const kind of ['postgres', 'embedded'] as const) await measure(places, kind, context);
  } finally {
    await places.close();
  }
}

async function measure(places: Places, kind: PlaceKind, { say, add }: BenchContext): Promise<void> {
  const home = temporaryFolder('home');
  const fresh = await places.fresh(kind);
  // Where a server with this home finds it.
  const place: Place = kind === 'embedded' ? { ...fresh, dataFolder: path.join(home, 'data') } : fresh;
  try {
    const { full, empty, filled } = await throughput(places, place, say);
    const work = `${kind}, ${PLANS.toLocaleString('en-US')} plans at rest`;
    const ratio = median(full.map((value, n) => value / empty[n]!));
    add({ work: `${work}, fill`, value: rounded(filled), unit: 'steps/s', target: null });
    add({
      work: `${work}, 50 clients`,
      value: rounded(median(full)),
      unit: 'steps/s',
      target: null,
      baseline: rounded(median(empty)),
    });
    add({
      work: `${work}, throughput against an empty store`,
      value: rounded(100 * ratio),
      unit: '%',
      target: '>= 90',
    });
    const found = await explainReads(place);
    for (const line of found.plans) say(`    ${line}`);
    add({
      work: `${work}, sequential scans in the plans of list, by-plan and ticket reads`,
      value: found.scans,
      unit: 'scans',
      target: '<= 0',
    });
    await reads(places, place, home, work, { say, add });
  } finally {
    await fresh.remove();
    fs.rmSync(home, { recursive: true, force: true });
  }
}

async function throughput(places: Places, place: Place, say: BenchContext['say']) {
  const colmeia = await createColmeia({ ...place, maxParallelTickets: UNCAPPED });
  const other = await places.fresh(place.kind);
  const newColmeia = await createColmeia({ ...other, maxParallelTickets: UNCAPPED });
  try {
    const load = await startChainLoad(colmeia, await createCompanies(colmeia, COMPANIES));
    const filled = await fill(load, `${place.kind}`, say);
    globalThis.gc?.();
    say(`  ${place.kind}, heap of the process after the fill: ${(process.memoryUsage().heapUsed / 1e6).toFixed(0)} MB`);
    const newLoad = await startChainLoad(newColmeia, await createCompanies(newColmeia, COMPANIES));
    await newLoad.run(50, 2_000);
    const full: number[] = [];
    const empty: number[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      full.push(await stepsPerSecond(load));
      empty.push(await stepsPerSecond(newLoad));
      say(
        `  ${place.kind}, round ${n + 1}: ${full.at(-1)!.toFixed(0)} steps/s; empty store ${empty.at(-1)!.toFixed(0)}`,
      );
    }
    await Promise.all([load.stop(), newLoad.stop()]);
    return { full, empty, filled };
  } finally {
    await Promise.all([colmeia.close(), newColmeia.close()]);
    await other.remove();
  }
}

async function stepsPerSecond(load: Load): Promise<number> {
  const { workflows, seconds } = await load.run(50, MEASURE_MS);
  return (STEPS * workflows) / seconds;
}

/** Prints the rate of each tenth, so that a decay is seen. Gives the rate of the whole. */
async function fill(load: Load, name: string, say: BenchContext['say']): Promise<number> {
  const rates: number[] = [];
  const share = Math.min(2_500, PLANS / 10);
  const startedAt = performance.now();
  for (let done = 0, tenth = 1; tenth <= 10; tenth++) {
    const from = performance.now();
    const before = done;
    while (done < (PLANS * tenth) / 10) {
      if (performance.now() > startedAt + FILL_DEADLINE_MS)
        throw new Error(`only ${done} plans in ${FILL_DEADLINE_MS} ms`);
      done += share;
      await load.count(FILL_CLIENTS, share);
    }
    rates.push((STEPS * (done - before) * 1_000) / (performance.now() - from));
  }
  say(`  ${name}, steps/s of each tenth of the fill: ${rates.map((rate) => rate.toFixed(0)).join(' ')}`);
  return (STEPS * PLANS * 1_000) / (performance.now() - startedAt);
}

/** The statements of the reads as the store runs them, each explained first. */
async function explainReads(place: Place): Promise<{ scans: number; plans: string[] }> {
  const store = await openStore(place);
  const plans: string[] = [];
  let scans = 0;
  const explained: Store = {
    ...bound(store),
    read: (scope, work) => store.read(scope, (sql) => work(explaining(sql))),
  };
  let name = '';
  const explaining = (sql: Sql): Sql => ({
    async query(text, values) {
      const rows = await sql.query<{ 'QUERY PLAN': string }>(`explain ${text}`, values);
      const lines = rows.map((row) => row['QUERY PLAN']);
      scans += lines.filter((line) => /Seq Scan on (plan|ticket|journal)\b/.test(line)).length;
      const nodes = lines.flatMap((line) => /(\w[\w ]* on \w+|\w[\w ]* using \w+)/.exec(line.trim())?.[1] ?? []);
      plans.push(`${name}: ${nodes.join('; ')}`);
      return sql.query(text, values);
    },
  });
  try {
    const scopes: [string, Scope][] = [
      ['operator', { as: 'coordinator' }],
      ['company', { as: 'company', instance: 'company-3' }],
    ];
    for (const [who, scope] of scopes) {
      const instance = scope.as === 'company' ? scope.instance : null;
      const step = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
        name = `${who}, ${what}`;
        return work();
      };
      const listed = await step('list', () =>
        listPlans(explained, scope, { instance, status: null, after: null, limit: 50 }),
      );
      const last = listed.at(-1)!;
      const after = { at: last.created_at, key: last.key };
      await step('list, next page', () => listPlans(explained, scope, { instance, status: null, after, limit: 50 }));
      await step('list by status', () =>
        listPlans(explained, scope, { instance, status: 'completed', after: null, limit: 50 }),
      );
      await step('plan by id', () => findPlansById(explained, scope, last.plan_id, instance));
      await step('by-plan', () => listTicketsOf(explained, scope, last, 0, 50));
      await step('ticket', () => findTicket(explained, scope, last.key, 2));
      await step('tickets', () =>
        listTickets(explained, scope, { instance, key: null, states: null, taskType: null, after: null, limit: 50 }),
      );
    }
  } finally {
    await store.close();
  }
  return { scans, plans };
}

function bound(store: Store): Store {
  return Object.create(store) as Store;
}

async function reads(
  places: Places,
  place: Place,
  home: string,
  work: string,
  { say, add }: Pick<BenchContext, 'say' | 'add'>,
): Promise<void> {
  const server = await startServer(home, place.databaseUrl);
  const client = new HttpClient(server.address, server.key);
  const barePlace = await places.fresh(place.kind);
  const bare = await startBareServer(barePlace);
  const bareClient = new HttpClient(bare.address, '');
  try {
    const { planIds, cursors } = await samplePlans(client);
    const pick = (n: number): string => planIds[(n * 7_919) % planIds.length]!;
    const tickets: string[] = [];
    for (let n = 0; n < 50; n++) {
      const page = await client.must<{ tickets: { ticket_id: string }[] }>('GET', `/api/v1/tickets/by-plan/${pick(n)}`);
      tickets.push(page.tickets[n % STEPS]!.ticket_id);
    }
    const paths: Record<string, (n: number) => string> = {
      'list of plans': (n) =>
        n % 2 === 0 ? '/api/v1/plans' : `/api/v1/plans?after=${encodeURIComponent(cursors[n % cursors.length]!)}`,
      'list of plans of a company': (n) => `/api/v1/plans?instance=company-${n % COMPANIES}`,
      'list of plans by status': () => '/api/v1/plans?status=completed',
      plan: (n) => `/api/v1/plans/${pick(n)}`,
      'tickets by plan': (n) => `/api/v1/tickets/by-plan/${pick(n)}`,
      ticket: (n) => `/api/v1/tickets/${tickets[n % tickets.length]}`,
      'list of tickets': () => '/api/v1/tickets',
    };
    const baseline = rounded(quantile(await waits(() => bareClient.must('GET', '/one')), 0.95));
    for (const [name, pathOf] of Object.entries(paths)) {
      const found = await waits((n) => client.must('GET', pathOf(n)));
      say(`  ${place.kind}, ${name}: p95 ${quantile(found, 0.95).toFixed(1)} ms`);
      add({ work: `${work}, ${name}, p50`, value: rounded(quantile(found, 0.5)), unit: 'ms', target: null });
      add({
        work: `${work}, ${name}, p95`,
        value: rounded(quantile(found, 0.95)),
        unit: 'ms',
        target: '<= 5',
        baseline,
      });
    }
  } finally {
    await Promise.all([client.close(), bareClient.close()]);
    await Promise.all([server.stop(), bare.stop()]);
    await barePlace.remove();
  }
}

/** Ids out of pages that start at the newest. */
async function samplePlans(client: HttpClient): Promise<{ planIds: string[]; cursors: string[] }> {
  const planIds: string[] = [];
  const cursors: string[] = [];
  for (let page = 0, after = ''; page < 40; page++) {
    const path = `/api/v1/plans?limit=100${after && `&after=${encodeURIComponent(after)}`}`;
    const { items, next } = await client.must<{ items: { plan_id: string }[]; next: string | null }>('GET', path);
    planIds.push(...items.map(({ plan_id }) => plan_id));
    if (next === null) break;
    cursors.push((after = next));
  }
  return { planIds, cursors };
}

async function waits(read: (n: number) => Promise<unknown>): Promise<number[]> {
  const found: number[] = [];
  const until = performance.now() + READ_MS;
  for (let n = 0; n < READS * 1.5 && performance.now() < until; n++) {
    const from = performance.now();
    await read(n);
    found.push(performance.now() - from);
  }
  return found.slice(Math.floor(found.length / 3));
}

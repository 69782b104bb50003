// Forecasts against what happened: durations of recorded tasks as a stream; starts and ends of tickets and plans, and
// deadlines in danger, in the scenario of ten companies (company-queues.ts). Nothing is measured without the recordings.
import { DurationModel } from '../src/execution/scheduling/models/duration-model.ts';
import { ForecastError, type ForecastKind } from '../src/execution/scheduling/models/forecast-error.ts';
import {
  forecastPlan,
  forecastStart,
  leftMs,
  type CompanyQueue,
  type OpenTicket,
} from '../src/execution/scheduling/models/plan-forecast.ts';
import { defaultsOf } from '../src/execution/scheduling/setting.ts';
import { SLA_WARNING_SETTINGS, slaWarning } from '../src/execution/scheduling/models/sla-warning.ts';
import { simulatedSpec } from '../src/execution/scheduling/simulation/scenario.ts';
import { recordedWorkflows } from '../test/workflows/recorded-workflow.ts';
import {
  AGENTS,
  CAPACITY,
  readGraphs,
  simulateCompanies,
  type Company,
  type Graph,
  type Job,
} from './company-queues.ts';
import { BLOCK, p90Row, percent, worstBlock } from './coverage.ts';
import { benchDurations } from './forecast-durations.ts';
import type { BenchContext } from './row.ts';
import { median, rounded } from './statistics.ts';

const LOADS = [
  { name: 'rho .9', rho: 0.9, hostile: false },
  { name: 'rho 1.2', rho: 1.2, hostile: false },
  { name: 'rho 1.6', rho: 1.6, hostile: false },
  { name: 'rho 1.2 hostile', rho: 1.2, hostile: true },
];
const SEEDS = [1, 2, 3];
const HOURS = 12;
/** Arrivals are averaged over at least this long. */
const LEAST_SECONDS = 1_800;

export async function bench(context: BenchContext): Promise<void> {
  const graphs = readGraphs();
  const workflows = recordedWorkflows();
  if (graphs === null || workflows === null)
    return context.say('  skipped: no recorded workflows beside the repository');
  benchDurations(context, workflows);
  const recorded = workflows.map((workflow): Graph => ({
    name: workflow.name,
    work: workflow.tasks.reduce((sum, [, seconds]) => sum + seconds, 0),
    criticalPath: workflow.criticalPath,
    tasks: workflow.tasks.map(([type, seconds, parents]) => ({
      type: workflow.types[type]!,
      duration: Math.max(0.001, seconds),
      parents,
    })),
  }));
  benchStartAndFinish(context, 'workflows', recorded, 50);
  benchStartAndFinish(context, 'STG', graphs, HOURS);
  benchWarnings(context, graphs);
}

const openTickets = (job: Job, now: number): OpenTicket[] =>
  job.tasks
    .filter((task) => !task.done)
    .map(({ n, parents, estimate, speed, startedAt }) => ({
      n,
      deps: parents,
      expectedMs: (estimate / speed) * 1_000,
      elapsedMs: startedAt === null ? null : (now - startedAt) * 1_000,
    }));

function backlogMs(job: Job, now: number): number {
  let sum = job.waiting * 1_000;
  for (const { estimate, startedAt, speed } of job.running)
    sum += leftMs({ expectedMs: estimate * 1_000, elapsedMs: (now - startedAt!) * speed * 1_000 });
  return sum;
}

/** When the first agent is free, ms from now. */
function freeInMs(companies: readonly Company[], now: number): number {
  const running = companies.flatMap(({ open }) => [...open].flatMap((job) => [...job.running]));
  if (running.length < AGENTS) return 0;
  const left = running.map(({ estimate, startedAt, speed }) => (startedAt! + estimate / speed - now) * 1_000);
  return Math.max(0, Math.min(...left));
}

const sumOf = <T>(items: Iterable<T>, of: (item: T) => number): number =>
  [...items].reduce((sum, item) => sum + of(item), 0);

function queueOf(job: Job, companies: readonly Company[], now: number, aheadOf: (other: Job) => number): CompanyQueue {
  const ahead = [...job.company.open].filter((other) => other !== job && other.deadline <= job.deadline);
  const others = companies.filter((company) => company !== job.company);
  return {
    aheadMs: sumOf(ahead, aheadOf),
    weight: job.company.weight,
    others: others.map(({ weight, open, arrived }) => ({
      weight,
      backlogMs: sumOf(open, (other) => backlogMs(other, now)),
      arriving: arrived / Math.max(now, LEAST_SECONDS),
    })),
    slots: CAPACITY,
  };
}

/** By the order in which the forecasts were given. */
type Kept = { given: number; p50: boolean[]; p90: boolean[]; off: number[] };

/** Durations are learned on the way; a start is forecast for one of the tickets that become ready at once. */
function benchStartAndFinish({ add }: BenchContext, name: string, graphs: readonly Graph[], hours: number): void {
  for (const rho of [0.9, 1.2]) {
    const model = new DurationModel();
    const errors = new ForecastError();
    const kept: Record<ForecastKind, Kept> = {
      start: { given: 0, p50: [], p90: [], off: [] },
      finish: { given: 0, p50: [], p90: [], off: [] },
    };
    const awaited = new Map<string, { at: number; turn: number; p50: number; p90: number }>();
    const made = (kind: ForecastKind, id: string, { name: company }: Company, now: number, ms: number): void => {
      errors.made(kind, id, company, now * 1_000, ms);
      const turn = kept[kind].given++;
      awaited.set(kind + id, { at: now * 1_000, turn, ...errors.range(kind, company, ms) });
    };
    const happened = (kind: ForecastKind, id: string, now: number): void => {
      const one = awaited.get(kind + id);
      if (one === undefined) return;
      awaited.delete(kind + id);
      const ms = now * 1_000 - one.at;
      kept[kind].p50[one.turn] = ms <= one.p50 + 1;
      kept[kind].p90[one.turn] = ms <= one.p90 + 1;
      kept[kind].off.push(Math.abs(Math.log((ms + 1_000) / (one.p50 + 1_000))));
      errors.happened(kind, id, now * 1_000);
    };
    const readyMs = (job: Job): number => sumOf(job.ready, (task) => task.estimate * 1_000);
    let turn = 0;
    simulateCompanies(graphs, { rho, hostile: false, hours }, 1, {
      estimate: (job, task) => model.expect(simulatedSpec(task.type), job.company.name) / 1_000,
      arrived: (job, companies, now) => {
        const queue = queueOf(job, companies, now, (other) => backlogMs(other, now));
        made('finish', `${job.id}`, job.company, now, forecastPlan(openTickets(job, now), queue).finishMs);
      },
      ready: (job, tasks, companies, now) => {
        const task = tasks[turn++ % tasks.length]!;
        const queue = queueOf(job, companies, now, readyMs);
        queue.aheadMs += sumOf(job.ready.slice(0, job.ready.indexOf(task)), (before) => before.estimate * 1_000);
        made('start', `${job.id}/${task.n}`, job.company, now, forecastStart(queue, freeInMs(companies, now)));
      },
      started: (job, task, now) => happened('start', `${job.id}/${task.n}`, now),
      ended: (job, task, now) => {
        model.observe(simulatedSpec(task.type), job.company.name, now * 1_000, task.duration * 1_000);
        if (job.open === 0) happened('finish', `${job.id}`, now);
      },
    });
    for (const kind of ['start', 'finish'] as const) addKept(add, `${name}, rho ${rho}, ${kind}`, kept[kind]);
  }
}

function addKept(add: BenchContext['add'], name: string, { p50, p90, off }: Kept): void {
  const work = `${name} (${p90.length})`;
  add({ work: `${work}: p50 covers`, value: percent(p50), unit: '%', target: null });
  add({ work: `${work}: p90 covers`, ...p90Row(p90) });
  if (p90.length >= 2 * BLOCK)
    add({ work: `${work}: p90 in the worst ${BLOCK}`, value: worstBlock(p90), unit: '%', target: '>= 85' });
  add({ work: `${work}: median off by`, value: rounded(Math.exp(median(off))), unit: 'x', target: null });
}

type Look = { fluid: number; path: number; level: 'warning' | 'certain' | null; missed: boolean };

/** What is known half of the way to the deadline, against whether it was missed; plans that have ended by then are not asked. */
function benchWarnings({ add }: BenchContext, graphs: readonly Graph[]): void {
  const settings = defaultsOf(SLA_WARNING_SETTINGS);
  const all: Look[] = [];
  for (const { name, ...load } of LOADS) {
    const looks: Look[] = [];
    for (const seed of SEEDS) {
      const errors = new ForecastError();
      const looked = new Map<Job, Look>();
      const forecast = (job: Job, companies: readonly Company[], now: number) =>
        forecastPlan(
          openTickets(job, now),
          queueOf(job, companies, now, (other) => backlogMs(other, now)),
        );
      const jobs = simulateCompanies(graphs, { ...load, hours: HOURS }, seed, {
        halfway: (job, companies, now) => {
          const { finishMs, soonestMs, parts } = forecast(job, companies, now);
          const range = errors.range('finish', job.company.name, finishMs);
          const deadline = job.deadline * 1_000;
          const warning = slaWarning({ deadline, now: now * 1_000, forecastMs: finishMs, range, soonestMs }, settings);
          const left = deadline - now * 1_000;
          looked.set(job, {
            fluid: finishMs / left,
            path: parts.criticalPathMs / left,
            level: warning?.level ?? null,
            missed: false,
          });
          errors.made('finish', `${job.id}`, job.company.name, now * 1_000, finishMs);
        },
        ended: (job, _task, now) => {
          if (job.open === 0) errors.happened('finish', `${job.id}`, now * 1_000);
        },
      });
      for (const job of jobs) {
        const look = looked.get(job);
        if (look !== undefined) looks.push({ ...look, missed: job.endedAt! > job.deadline });
      }
    }
    addWarnings(add, name, looks);
    all.push(...looks);
  }
  addWarnings(add, 'all', all);
}

function addWarnings(add: BenchContext['add'], name: string, looks: readonly Look[]): void {
  const missed = looks.filter((look) => look.missed).length;
  const work = `SLA at half the slack, ${name} (${missed} of ${looks.length} missed)`;
  const path = areaUnder(looks, (look) => look.path);
  add({
    work: `${work}: AUC, baseline critical path`,
    value: areaUnder(looks, (look) => look.fluid),
    unit: '',
    target: '>= 0.93',
    baseline: path,
  });
  const warned = looks.filter((look) => look.level !== null);
  const right = warned.filter((look) => look.missed).length;
  const rows = [
    { work: `${work}: precision`, of: right, all: warned.length },
    { work: `${work}: recall`, of: right, all: missed },
  ];
  const certain = looks.filter((look) => look.level === 'certain');
  const sure = certain.filter((look) => look.missed).length;
  rows.push({ work: `${work}: precision of certain (${certain.length})`, of: sure, all: certain.length });
  for (const { work: what, of, all } of rows) {
    // Without a warning there is no share of right ones.
    if (all > 0) add({ work: what, value: rounded(of / all), unit: '', target: null });
  }
}

/** Probability that one that missed scores above one that did not (area under the ROC curve), ties half. */
function areaUnder(looks: readonly Look[], score: (look: Look) => number): number {
  const sorted = [...looks].sort((a, b) => score(a) - score(b));
  let ranks = 0;
  let missed = 0;
  for (let from = 0; from < sorted.length;) {
    let to = from;
    while (to < sorted.length && score(sorted[to]!) === score(sorted[from]!)) to++;
    for (let i = from; i < to; i++) {
      if (!sorted[i]!.missed) continue;
      ranks += (from + to + 1) / 2;
      missed++;
    }
    from = to;
  }
  return Number(((ranks - (missed * (missed + 1)) / 2) / (missed * (sorted.length - missed))).toFixed(3));
}

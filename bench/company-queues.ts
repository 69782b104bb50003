// Ten companies on 64 unequal agents, beyond what these can carry: the scenario of the forecast's figures. Weighted fair
// queueing across companies, earliest deadline first within one, the fastest free agent. Durations in seconds.
import fs from 'node:fs';
import path from 'node:path';
import { seededRandom } from '../src/execution/scheduling/simulation/seeded-random.ts';
import { Heap } from '../src/platform/heap.ts';

const FILE = path.resolve(import.meta.dirname, '../../shared/data/workflows/stg-120.jsonl');
const SPEEDS = [0.5, 0.75, 1, 1, 1.5, 2];
export const AGENTS = 64;
const WAVE_SECONDS = 3 * 3_600;
const UNIT = 10;
const WEIGHTS = [4, 4, 2, 2, 2, 1, 1, 1, 1, 1];
const SHARES = [0.09, 0.09, 0.06, 0.06, 0.06, 0.035, 0.035, 0.035, 0.035, 0.5];
const NOISY = 9;
const SLACKS: Record<number, [number, number]> = { 4: [1.5, 3], 2: [2, 5], 1: [3, 8] };

/** Durations in seconds at ordinary speed. */
export type Graph = {
  name: string;
  work: number;
  criticalPath: number;
  tasks: { type: string; duration: number; parents: readonly number[] }[];
};
export type Task = {
  n: number;
  type: string;
  parents: readonly number[];
  children: number[];
  /** Real, at ordinary speed. */
  duration: number;
  /** All that the scheduler knows: the mean of its type, or what `watch.estimate` says. */
  estimate: number;
  waitsFor: number;
  /** null = it did not start. */
  startedAt: number | null;
  speed: number;
  done: boolean;
};
export type Job = {
  heapIndex: number;
  id: number;
  graph: Graph;
  company: Company;
  arrivesAt: number;
  deadline: number;
  tasks: Task[];
  ready: Task[];
  running: Set<Task>;
  open: number;
  /** Estimated work that has not started. */
  waiting: number;
  endedAt: number | null;
};
export type Company = {
  name: string;
  weight: number;
  /** Weighted work that it got. */
  virtual: number;
  /** Jobs with ready tasks, the earliest deadline first. */
  jobs: Heap<Job>;
  /** Jobs that have not ended. */
  open: Set<Job>;
  /** Estimated work that arrived until now. */
  arrived: number;
};
export type Load = { rho: number; hostile: boolean; hours: number };
type Event = { heapIndex: number; at: number; run: () => void };
/** What the bench sees of the run. */
export type Watch = {
  /** Seconds. */
  estimate?: (job: Job, task: Task) => number;
  arrived?: (job: Job, companies: readonly Company[], now: number) => void;
  /** Half of the time to its deadline is gone and it has not ended. */
  halfway?: (job: Job, companies: readonly Company[], now: number) => void;
  /** Tasks of the job that wait for nothing any more, all at once. */
  ready?: (job: Job, tasks: readonly Task[], companies: readonly Company[], now: number) => void;
  started?: (job: Job, task: Task, now: number) => void;
  ended?: (job: Job, task: Task, now: number) => void;
};

export const CAPACITY = Array.from({ length: AGENTS }, (_, n) => SPEEDS[n % SPEEDS.length]!).reduce((a, b) => a + b);

type Recorded = { name: string; work: number; criticalPath: number; tasks: [duration: number, parents: number[]][] };

/** null = the graphs are not on this machine. */
export function readGraphs(): Graph[] | null {
  if (!fs.existsSync(FILE)) return null;
  const lines = fs.readFileSync(FILE, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const graph = JSON.parse(line) as Recorded;
    const tasks = graph.tasks.map(([duration, parents]) => ({
      type: `length-${Math.floor(Math.log2(duration + 1))}`,
      duration: duration * UNIT,
      parents,
    }));
    return { name: graph.name, work: graph.work * UNIT, criticalPath: graph.criticalPath * UNIT, tasks };
  });
}

/** Runs the scenario to its end; `watch` sees each job when it arrives and when half of the time to its deadline is gone. */
export function simulateCompanies(graphs: readonly Graph[], load: Load, seed: number, watch: Watch): Job[] {
  const random = seededRandom(seed);
  const companies = WEIGHTS.map((weight, n): Company => ({
    name: `company-${n}`,
    weight,
    virtual: 0,
    jobs: new Heap<Job>((a, b) => a.deadline < b.deadline),
    open: new Set(),
    arrived: 0,
  }));
  const jobs = arrivals(graphs, load, companies, random);
  const become = (job: Job, tasks: readonly Task[]): void => {
    if (tasks.length > 0) watch.ready?.(job, tasks, companies, now);
  };
  const events = new Heap<Event>((a, b) => a.at < b.at);
  const free = Array.from({ length: AGENTS }, (_, n) => SPEEDS[n % SPEEDS.length]!).sort((a, b) => a - b);
  let now = 0;
  const at = (time: number, run: () => void): void => events.push({ heapIndex: -1, at: time, run });
  const dispatch = (): void => {
    while (free.length > 0) {
      const company = next(companies);
      if (company === null) return;
      const job = company.jobs.peek()!;
      const task = job.ready.shift()!;
      if (job.ready.length === 0) company.jobs.pop();
      const speed = free.pop()!;
      start(job, task, speed, now);
      watch.started?.(job, task, now);
      at(now + task.duration / speed, () => {
        free.push(speed);
        free.sort((a, b) => a - b);
        const freed = end(job, task, now);
        watch.ended?.(job, task, now);
        become(job, freed);
      });
    }
  };
  for (const job of jobs) {
    at(job.arrivesAt, () => {
      arrive(job, companies, watch);
      watch.arrived?.(job, companies, now);
      become(job, [...job.ready]);
    });
    at((job.arrivesAt + job.deadline) / 2, () => {
      if (job.endedAt === null) watch.halfway?.(job, companies, now);
    });
  }
  for (let event = events.pop(); event !== undefined; event = events.pop()) {
    now = event.at;
    event.run();
    dispatch();
  }
  return jobs;
}

function arrivals(graphs: readonly Graph[], load: Load, companies: readonly Company[], random: () => number): Job[] {
  const means = meansByType(graphs);
  const meanWork = graphs.reduce((sum, graph) => sum + graph.work, 0) / graphs.length;
  const seconds = load.hours * 3_600;
  const jobs: Job[] = [];
  for (const [i, company] of companies.entries()) {
    const rate = (load.rho * CAPACITY * SHARES[i]!) / meanWork;
    for (let at = 0; ;) {
      at -= Math.log(1 - random()) / rate;
      if (at >= seconds) break;
      // The noisy one's arrivals of each quarter fall into the first quarter of it.
      const arrivesAt = i === NOISY ? at - 0.75 * (at % WAVE_SECONDS) : at;
      const graph = graphs[Math.floor(random() * graphs.length)]!;
      const [low, high] = i === NOISY && load.hostile ? [1.2, 1.5] : SLACKS[company.weight]!;
      const ideal = Math.max(graph.criticalPath, graph.work / 16);
      const deadline = arrivesAt + 60 + ideal * (low + (high - low) * random());
      const tasks = tasksOf(graph, means);
      const times = { arrivesAt, deadline, endedAt: null };
      const work = { tasks, ready: [], running: new Set<Task>(), open: tasks.length, waiting: 0 };
      jobs.push({ heapIndex: -1, id: jobs.length, graph, company, ...times, ...work });
    }
  }
  return jobs;
}

/** Seconds by type. */
function meansByType(graphs: readonly Graph[]): Map<string, number> {
  const sums = new Map<string, { n: number; sum: number }>();
  for (const graph of graphs) {
    for (const { type, duration } of graph.tasks) {
      const one = sums.get(type) ?? { n: 0, sum: 0 };
      sums.set(type, { n: one.n + 1, sum: one.sum + duration });
    }
  }
  return new Map([...sums].map(([type, { n, sum }]) => [type, sum / n]));
}

function tasksOf(graph: Graph, means: ReadonlyMap<string, number>): Task[] {
  const tasks = graph.tasks.map(({ type, duration, parents }, n): Task => ({
    n,
    type,
    parents,
    children: [],
    duration,
    estimate: means.get(type)!,
    waitsFor: parents.length,
    startedAt: null,
    speed: 1,
    done: false,
  }));
  for (const task of tasks) for (const parent of task.parents) tasks[parent]!.children.push(task.n);
  return tasks;
}

function arrive(job: Job, companies: readonly Company[], watch: Watch): void {
  const { company } = job;
  if (company.open.size === 0) {
    // Idle time is not saved up.
    const busy = companies.filter((each) => each.open.size > 0).map((each) => each.virtual);
    if (busy.length > 0) company.virtual = Math.max(company.virtual, Math.min(...busy));
  }
  for (const task of job.tasks) {
    task.estimate = watch.estimate?.(job, task) ?? task.estimate;
    job.waiting += task.estimate;
  }
  company.open.add(job);
  company.arrived += job.waiting;
  job.ready = job.tasks.filter((task) => task.waitsFor === 0);
  company.jobs.push(job);
}

function next(companies: readonly Company[]): Company | null {
  let best: Company | null = null;
  for (const company of companies)
    if (company.jobs.size > 0 && (best === null || company.virtual < best.virtual)) best = company;
  return best;
}

function start(job: Job, task: Task, speed: number, now: number): void {
  task.startedAt = now;
  task.speed = speed;
  job.running.add(task);
  job.waiting -= task.estimate;
  job.company.virtual += task.estimate / speed / job.company.weight;
}

/** Gives the tasks that it made ready. */
function end(job: Job, task: Task, now: number): Task[] {
  task.done = true;
  job.running.delete(task);
  job.company.virtual += (task.duration - task.estimate) / task.speed / job.company.weight; // real time, not what was thought
  const freed = task.children.map((child) => job.tasks[child]!).filter((child) => --child.waitsFor === 0);
  job.ready.push(...freed);
  if (job.ready.length > 0 && job.heapIndex < 0) job.company.jobs.push(job);
  if (--job.open === 0) {
    job.endedAt = now;
    job.company.open.delete(job);
  }
  return freed;
}

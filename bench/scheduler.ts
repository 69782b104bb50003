// The scheduler in memory: 100,000 tickets wait, 1,000 agents, 50 companies, 64 classes. An agent ends a ticket and asks again:
// the end, the decision and the ticket that comes in its place are one decision. Baseline: the same choice (bounded lag,
// earliest deadline, any able agent that is free) by a scan of all that waits for each agent.
import { PLAIN_ESTIMATES } from '../src/execution/scheduling/estimates.ts';
import { policyOf } from '../src/execution/scheduling/policy.ts';
import type { ReadyTicket } from '../src/execution/scheduling/ready-ticket.ts';
import type { SchedulerAgent } from '../src/execution/scheduling/scheduler-agent.ts';
import { Scheduler } from '../src/execution/scheduling/scheduler.ts';
import type { Assignment } from '../src/execution/scheduling/scheduling-cycle.ts';
import type { BenchContext } from './row.ts';
import { profiled } from './profile.ts';
import { quantile, rounded } from './statistics.ts';

const READY = 100_000;
const AGENTS = 1_000;
const COMPANIES = 50;
const TYPES = 64;
const DECISIONS = 200_000;
const NAIVE_DECISIONS = 200;
const TIERS = ['gold', 'silver', 'silver', 'bronze', 'bronze'];

type Random = () => number;

export async function bench({ say, add, profile }: BenchContext): Promise<void> {
  for (const skills of [8, TYPES]) {
    const world = new World(skills);
    const memory = fill(world);
    say(
      `  agents do ${skills} of ${TYPES} classes: ${memory.perTicket.toFixed(0)} B a ticket, ${memory.perAgent.toFixed(0)} B an agent`,
    );
    for (let n = 0; n < DECISIONS / 10; n++) world.step();
    const measure = async (): Promise<{ perSecond: number; p99: number }> => timeDecisions(world);
    const { perSecond, p99 } = await (profile ? profiled(`scheduler-${skills}`, say, measure) : measure());
    const naive = skills === TYPES ? timeNaive(world) : null;
    const work = `100k ready, 1,000 agents of ${skills} classes each`;
    add({
      work: `${work}, decisions`,
      value: rounded(perSecond),
      unit: '1/s',
      target: '>= 50000',
      ...(naive === null ? {} : { baseline: rounded(naive) }),
    });
    add({ work: `${work}, a decision, p99`, value: rounded(p99 * 1_000), unit: 'µs', target: '<= 50' });
    if (skills === TYPES) continue;
    add({ work: 'memory of a ready ticket', value: rounded(memory.perTicket / 1_024), unit: 'KB', target: '<= 1.5' });
    add({ work: 'memory of an agent', value: rounded(memory.perAgent / 1_024), unit: 'KB', target: '<= 10' });
  }
}

/** A fleet that never rests: whoever ends something asks at once, and for each ticket given another one comes. */
class World {
  readonly random = mulberry32(7);
  readonly agents: SchedulerAgent[];
  readonly tickets: ReadyTicket[] = [];
  readonly scheduler: Scheduler;
  readonly running: Assignment[] = [];
  now = 0;
  #plan = 0;

  constructor(skills: number) {
    this.agents = Array.from({ length: AGENTS }, (_, n) => agentOf(`agent-${n}`, skills, this.random));
    const factor = new Map(this.agents.map(({ key }) => [key, 0.5 + 1.5 * this.random()]));
    this.scheduler = new Scheduler({
      policy: policyOf('adaptive'),
      estimates: { ...PLAIN_ESTIMATES, factor: (_type, agent) => factor.get(agent) ?? 1 },
      random: this.random,
      tierOf: (instance) => TIERS[Number(instance.slice(8)) % TIERS.length],
    });
  }

  ticket(): ReadyTicket {
    const estimate = 1_000 + 59_000 * this.random();
    const deadline = this.now + estimate * (2 + 2_000 * this.random());
    return {
      plan: this.#plan++,
      n: 0,
      instance: `company-${Math.floor(this.random() * COMPANIES)}`,
      spec: specOf(Math.floor(this.random() * TYPES), estimate),
      createdAt: this.now,
      deadline,
      planDeadline: deadline,
      readyAt: this.now,
      rank: 10 * estimate * this.random(),
      near: [],
    };
  }

  /** Gives the ms that the scheduler took. */
  step(): number {
    const at = Math.floor(this.random() * this.running.length);
    const { ticket, agent } = this.running[at];
    const coming = this.ticket();
    this.now += 30;
    const from = performance.now();
    this.scheduler.ended(ticket.plan, ticket.n, agent, this.now);
    const [next] = this.scheduler.schedule([this.agents[Number(agent.slice(6))]], this.now, 1);
    if (next === undefined) throw new Error(`${agent} got nothing`);
    this.scheduler.add(coming, this.now);
    const took = performance.now() - from;
    this.running[at] = next;
    return took;
  }
}

function fill(world: World): { perTicket: number; perAgent: number } {
  const tickets = Array.from({ length: READY + AGENTS }, () => world.ticket());
  let before = heapUsed();
  for (const ticket of tickets) world.scheduler.add(ticket, 0);
  const perTicket = (heapUsed() - before) / tickets.length;
  before = heapUsed();
  for (const agent of world.agents) world.scheduler.setAgent(agent);
  while (world.running.length < AGENTS) {
    const busy = new Set(world.running.map(({ agent }) => agent));
    const asking = world.agents.filter(({ key }) => !busy.has(key));
    world.running.push(...world.scheduler.schedule(asking, 0, AGENTS));
  }
  return { perTicket, perAgent: (heapUsed() - before) / AGENTS };
}

function timeDecisions(world: World): { perSecond: number; p99: number } {
  const times = Array.from({ length: DECISIONS }, () => world.step());
  const sum = times.reduce((total, time) => total + time, 0);
  return { perSecond: (DECISIONS / sum) * 1_000, p99: quantile(times, 0.99) };
}

/** All that waits × all agents that ask (one), for each decision. */
function timeNaive(world: World): number {
  const waiting = Array.from({ length: READY }, () => world.ticket());
  const used = new Map<string, number>();
  const from = performance.now();
  for (let n = 0; n < NAIVE_DECISIONS; n++) {
    const agent = world.agents[n % AGENTS];
    const able = waiting.filter(
      ({ spec }) =>
        (agent.taskTypes.has(spec.task_type) || agent.taskTypes.has(spec.metadata.task_type ?? '')) &&
        spec.required_capabilities.every((capability) => agent.capabilities.has(capability)),
    );
    const least = able.reduce((min, { instance }) => Math.min(min, used.get(instance) ?? 0), Infinity);
    let best: ReadyTicket | null = null;
    for (const ticket of able)
      if ((used.get(ticket.instance) ?? 0) <= least + 3e6 && (best === null || ticket.deadline < best.deadline))
        best = ticket;
    const { instance, spec } = best!;
    used.set(instance, (used.get(instance) ?? 0) + spec.estimated_duration_ms!);
    waiting[waiting.indexOf(best!)] = world.ticket();
  }
  return (NAIVE_DECISIONS / (performance.now() - from)) * 1_000;
}

function heapUsed(): number {
  for (let n = 0; n < 3; n++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function agentOf(key: string, skills: number, random: Random): SchedulerAgent {
  const types = new Set<string>();
  while (types.size < skills) types.add(`type-${Math.floor(random() * TYPES)}`);
  return {
    key,
    instance: null,
    kind: 'service',
    taskTypes: types,
    capabilities: new Set(['node', 'linux']),
    labels: {},
    region: null,
    concurrency: 1,
    free: 1,
    open: true,
  };
}

function specOf(type: number, estimate: number): ReadyTicket['spec'] {
  return {
    task_id: 'task',
    task_type: 'EXECUTE',
    description: 'One of many',
    priority: 'NORMAL',
    risk_band: 'medium',
    qos: { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' },
    parameters: {},
    required_capabilities: ['linux'],
    security_level: 'INTERNAL',
    estimated_duration_ms: estimate,
    metadata: { task_type: `type-${type}` },
    timeout_ms: 3 * estimate,
    max_retries: 2,
    gated: false,
    compensation: null,
    undoes: null,
  };
}

function mulberry32(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

import type { TicketSpec } from '../../plans/ticket.ts';
import type { ReadyTicket } from '../ready-ticket.ts';
import type { SchedulerAgent } from '../scheduler-agent.ts';
import type { Assignment } from '../scheduling-cycle.ts';

/** An agent of a simulated fleet: what it says of itself, and how it really is. Times in ms from the start. */
export type SimulatedAgent = {
  readonly says: Omit<SchedulerAgent, 'free' | 'open'>;
  /** Multiple of an ordinary agent's time that it takes for the type at that time; below 1 = faster. */
  readonly factor: (type: string, at: number) => number;
  /** Tickets that it really works on at once; further ones wait inside it. null = as many as it says. */
  readonly slots: number | null;
  /** Probability that an attempt fails. */
  readonly fails: number;
  /** Share of its time after which a failing attempt fails. */
  readonly failsAfter: number;
  /** It takes leases and never answers: the lease ends after `leaseMs`. */
  readonly silent: boolean;
  readonly from: number;
  /** null = it stays. */
  readonly until: number | null;
  /** When it is suspected or cordoned (open: false) and when it is well again. */
  readonly turns: readonly { at: number; open: boolean }[];
};

export type SimulatedTask = {
  readonly spec: TicketSpec;
  /** Numbers of the tasks it waits for. */
  readonly deps: readonly number[];
  /** How long it takes on an agent of ordinary speed, ms. The scheduler does not see it. */
  readonly durationMs: number;
};

export type SimulatedPlan = {
  readonly name: string;
  readonly instance: string;
  readonly tier: string;
  /** ms from the start. */
  readonly arrivesAt: number;
  /** ms from the start. */
  readonly deadlineAt: number;
  readonly tasks: readonly SimulatedTask[];
};

/** What gives tickets to agents: the Scheduler, or a baseline to compare it with. */
export type Dispatcher = {
  /** When there may be something to give though nothing happens, epoch ms; null or absent = only news can change that. */
  readonly wakeAt?: number | null;
  add(ticket: ReadyTicket, now: number): void;
  removePlan(plan: number): void;
  ended(plan: number, n: number, agent: string, at: number): void;
  setAgent(agent: SchedulerAgent): void;
  removeAgent(key: string): void;
  schedule(agents: readonly SchedulerAgent[], now: number, limit: number): Assignment[];
};

/** A ticket of a simulated plan: what is not said is plain. */
export function simulatedSpec(type: string, more: Partial<TicketSpec> = {}): TicketSpec {
  return {
    task_id: type,
    task_type: 'EXECUTE',
    description: '',
    priority: 'NORMAL',
    risk_band: 'medium',
    qos: { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' },
    parameters: {},
    required_capabilities: [],
    security_level: 'INTERNAL',
    estimated_duration_ms: null,
    metadata: { task_type: type },
    timeout_ms: 3_600_000,
    max_retries: 2,
    gated: false,
    compensation: null,
    undoes: null,
    ...more,
  };
}

/** An honest agent that does the given types: what is not said is plain. */
export function simulatedAgent(
  key: string,
  types: readonly string[],
  {
    factor = () => 1,
    concurrency = 1,
    says = {},
    ...more
  }: Partial<Omit<SimulatedAgent, 'says'>> & { concurrency?: number; says?: Partial<SimulatedAgent['says']> } = {},
): SimulatedAgent {
  return {
    says: {
      key,
      instance: null,
      kind: 'service',
      taskTypes: new Set(types),
      capabilities: new Set(),
      labels: {},
      region: null,
      concurrency,
      ...says,
    },
    factor,
    slots: null,
    fails: 0,
    failsAfter: 0.5,
    silent: false,
    from: 0,
    until: null,
    turns: [],
    ...more,
  };
}

import type { Clock } from '../../platform/clock.ts';
import { Deadlines } from '../../platform/deadlines.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import type { Candidate } from '../scheduling/schedule.ts';
import { agentKeyOf, type AgentSpec, type Lease } from './agent.ts';

type Poll = { max: number; give: (leases: Lease[]) => void };

export type LiveAgent = {
  key: string;
  instance: string | null;
  spec: AgentSpec;
  state: 'active' | 'draining';
  lastSeenAt: number;
  telemetry: unknown;
  leases: Set<Lease>;
  polls: Set<Poll>;
  candidate: Candidate;
};

/** Lines of log kept per attempt; the oldest go first. */
const LOG_LINES = 1_000;
/** Characters kept of one line. */
const LOG_LINE_LENGTH = 4_000;

/**
 * The agents this process knows, their polls and their leases. Memory only: the tickets in the database are what counts,
 * and after a restart the leases of running tickets are granted again for one lease duration.
 */
export class AgentRegistry {
  readonly leaseDurationMs: number;
  readonly #clock: Clock;
  readonly #agents = new Map<string, LiveAgent>();
  readonly #leases = new Map<string, Lease>();
  readonly #expiries = new Deadlines<Lease>();
  readonly #polling = new Set<LiveAgent>();
  /** Called when an agent asks for work. */
  onDemand: () => void = () => {};

  constructor(clock: Clock, leaseDurationMs: number) {
    this.#clock = clock;
    this.leaseDurationMs = leaseDurationMs;
  }

  /** Adds an agent or changes what it said of itself; its leases and polls stay. */
  put(instance: string | null, spec: AgentSpec, state: 'active' | 'draining' = 'active'): LiveAgent {
    const key = agentKeyOf(instance, spec.agent_id);
    const candidate: Candidate = {
      key,
      instance,
      taskTypes: new Set(spec.task_types),
      capabilities: new Set(spec.capabilities),
      free: 0,
      concurrency: spec.concurrency,
    };
    const known = this.#agents.get(key);
    const agent: LiveAgent = known ?? {
      key,
      instance,
      spec,
      state,
      lastSeenAt: this.#clock.now(),
      telemetry: null,
      leases: new Set(),
      polls: new Set(),
      candidate,
    };
    Object.assign(agent, { spec, state, candidate, lastSeenAt: this.#clock.now() });
    if (known === undefined)
      for (const lease of this.#leases.values()) if (lease.agent === key) agent.leases.add(lease);
    this.#agents.set(key, agent);
    if (agent.polls.size > 0) this.onDemand();
    return agent;
  }

  get size(): number {
    return this.#agents.size;
  }

  get leaseCount(): number {
    return this.#leases.size;
  }

  get(key: string): LiveAgent | undefined {
    return this.#agents.get(key);
  }

  all(): IterableIterator<LiveAgent> {
    return this.#agents.values();
  }

  /** Draining: its open polls end empty and it gets no more. */
  setState(key: string, state: 'active' | 'draining'): void {
    const agent = this.#agents.get(key);
    if (agent === undefined) return;
    agent.state = state;
    if (state === 'draining') for (const poll of [...agent.polls]) poll.give([]);
  }

  /** Its open polls end empty; its leases run out. */
  remove(key: string): void {
    const agent = this.#agents.get(key);
    if (agent === undefined) return;
    for (const poll of [...agent.polls]) poll.give([]);
    this.#agents.delete(key);
  }

  lease(leaseId: string): Lease | undefined {
    return this.#leases.get(leaseId);
  }

  /** Waits for work; resolves empty when nothing came in time, the agent drains, or the signal aborts. */
  poll(agent: LiveAgent, max: number, waitMs: number, signal?: AbortSignal): Promise<Lease[]> {
    agent.lastSeenAt = this.#clock.now();
    if (agent.state === 'draining' || signal?.aborted || max < 1) return Promise.resolve([]);
    return new Promise((resolve) => {
      const poll: Poll = {
        max,
        give: (leases) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
          agent.polls.delete(poll);
          if (agent.polls.size === 0) this.#polling.delete(agent);
          resolve(leases);
        },
      };
      const onAbort = (): void => poll.give([]);
      const timer = setTimeout(onAbort, waitMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      agent.polls.add(poll);
      this.#polling.add(agent);
      this.onDemand();
    });
  }

  /**
   * Agents that would take work now. `freed`: leases per agent that end with the commit under way. `pending`: leases that a
   * commit has begun and ended, and that were not granted and ended here yet.
   */
  candidates(
    freed: ReadonlyMap<string, number>,
    pending: { freed: ReadonlyMap<string, number>; taken: ReadonlyMap<string, number> } | null,
  ): Candidate[] {
    const candidates: Candidate[] = [];
    for (const agent of this.#polling) {
      if (agent.state !== 'active') continue;
      const taken = pending?.taken.get(agent.key) ?? 0;
      const ended = (freed.get(agent.key) ?? 0) + (pending?.freed.get(agent.key) ?? 0);
      let asked = -taken;
      for (const poll of agent.polls) asked += poll.max;
      const free = Math.min(asked, agent.spec.concurrency - agent.leases.size - taken + ended);
      if (free <= 0) continue;
      agent.candidate.free = free;
      candidates.push(agent.candidate);
    }
    return candidates;
  }

  /** Takes up a lease whose ticket is running after the commit, or was running before a restart. */
  grant(lease: Omit<Lease, 'expiresAt' | 'stop' | 'progress' | 'logs'>, stop = false): Lease {
    const granted: Lease = {
      ...lease,
      expiresAt: this.#clock.now() + this.leaseDurationMs,
      stop,
      progress: null,
      logs: [],
    };
    this.#leases.set(granted.leaseId, granted);
    this.#expiries.set(granted, granted.expiresAt);
    this.#agents.get(granted.agent)?.leases.add(granted);
    return granted;
  }

  /** Hands granted leases to the polls of one agent, in order; what no poll takes comes back. */
  deliver(agentKey: string, leases: Lease[]): Lease[] {
    const agent = this.#agents.get(agentKey);
    let from = 0;
    for (const poll of agent === undefined ? [] : [...agent.polls]) {
      if (from >= leases.length) break;
      poll.give(leases.slice(from, (from += poll.max)));
    }
    return leases.slice(from);
  }

  /** The attempt is alive; throws LEASE_FENCED when it is not the one that counts. */
  heartbeat(leaseId: string, fence: number, progress?: number, logs?: readonly string[]): Lease {
    const lease = this.#leases.get(leaseId);
    if (lease === undefined || lease.fence !== fence) {
      throw new ColmeiaError('LEASE_FENCED', `lease "${leaseId}" with fencing token ${fence} is not held any more`);
    }
    lease.expiresAt = this.#clock.now() + this.leaseDurationMs;
    this.#expiries.set(lease, lease.expiresAt);
    if (progress !== undefined) lease.progress = progress;
    if (logs !== undefined) keepLogs(lease, logs);
    const agent = this.#agents.get(lease.agent);
    if (agent) agent.lastSeenAt = this.#clock.now();
    return lease;
  }

  /** The attempt has ended; nothing happens when it is unknown. */
  end(leaseId: string): void {
    const lease = this.#leases.get(leaseId);
    if (lease === undefined) return;
    this.#leases.delete(leaseId);
    this.#expiries.delete(lease);
    this.#agents.get(lease.agent)?.leases.delete(lease);
  }

  nextExpiry(): number {
    return this.#expiries.next();
  }

  /** Leases that ran out; each is named once. */
  takeExpired(now: number): Lease[] {
    return this.#expiries.take(now);
  }

  /** Makes a lease run out (again) at once. */
  expireNow(lease: Lease): void {
    if (this.#leases.has(lease.leaseId)) this.#expiries.set(lease, 0);
  }

  /** Forgets the leases of plans that this process no longer owns, or of all. */
  forget(of: (lease: Lease) => boolean): void {
    for (const lease of [...this.#leases.values()]) if (of(lease)) this.end(lease.leaseId);
  }

  /** Ends every poll, so that the process can stop. */
  close(): void {
    for (const agent of this.#agents.values()) for (const poll of [...agent.polls]) poll.give([]);
  }
}

export function keepLogs(lease: Lease, logs: readonly string[]): void {
  for (const line of logs) lease.logs.push(line.length > LOG_LINE_LENGTH ? `${line.slice(0, LOG_LINE_LENGTH)}…` : line);
  if (lease.logs.length > LOG_LINES) lease.logs.splice(0, lease.logs.length - LOG_LINES);
}

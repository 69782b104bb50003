import type { Clock } from '../../platform/clock.ts';
import { Deadlines } from '../../platform/deadlines.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import type { SchedulerAgent } from '../scheduling/scheduler-agent.ts';
import { defaultsOf } from '../scheduling/setting.ts';
import { agentIdOf, agentKeyOf, type AgentSpec, type AgentState, type Lease } from './agent.ts';
import { AGENT_LIFE_SETTINGS, AgentLives } from './agent-life.ts';
import { keepLogs } from './keep-logs.ts';
import { LeaseTable } from './lease-table.ts';
import {
  newLiveAgent,
  reportOf,
  schedulerAgentOf,
  type LifeReport,
  type LiveAgent,
  type Poll,
  type SignOfLife,
} from './live-agent.ts';

const EXPIRED_AT_ONCE = 1_000;
/** How long a person is offered nothing after giving a ticket back. */
const REST_MS = 60_000;
/**
 * The agents this process knows, their polls and their leases. Memory only: the tickets in the database are what counts,
 * and after a restart the leases of running tickets are granted again for one lease duration.
 */
export class AgentRegistry {
  readonly leaseDurationMs: number;
  readonly #clock: Clock;
  readonly #agents = new Map<string, LiveAgent>();
  readonly #leases = new LeaseTable();
  readonly #expiries = new Deadlines<Lease>();
  readonly #polling = new Set<LiveAgent>();
  /** They need not ask: what is theirs to do waits in their inbox. */
  readonly #people = new Set<LiveAgent>();
  readonly #lives: AgentLives<LiveAgent>;
  #timer: NodeJS.Timeout | null = null;
  #timerAt = Infinity;
  #isClosed = false;
  /** Signs of life that the other replicas have not been told. */
  readonly #heard = new Map<LiveAgent, { at: number; beat: boolean }>();
  /** Called when an agent asks for work. */
  onDemand: () => void = () => {};
  /** Called when leases have run out before their time. */
  onExpired: () => void = () => {};
  /** Called with what agents say of themselves when it is new; null = the agent is not known any more. */
  onAgent: (agent: SchedulerAgent | null, key: string) => void = () => {};
  /** Called with agents that went away or came back, as often as `AgentLives` lets them. */
  onLife: (reports: LifeReport[]) => void = () => {};

  constructor(
    clock: Clock,
    leaseDurationMs: number,
    heartbeatIntervalMs = 10_000,
    lifeSettings = defaultsOf(AGENT_LIFE_SETTINGS),
  ) {
    this.#clock = clock;
    this.leaseDurationMs = leaseDurationMs;
    this.#lives = new AgentLives(heartbeatIntervalMs, leaseDurationMs, lifeSettings);
  }

  /** Adds an agent, or changes what it said of itself or people want of it; its leases and polls stay. */
  put(instance: string | null, spec: AgentSpec, state: AgentState = 'active'): LiveAgent {
    const key = agentKeyOf(instance, spec.agent_id);
    const now = this.#clock.now();
    const known = this.#agents.get(key);
    const isNews = known === undefined || JSON.stringify(known.spec) !== JSON.stringify(spec);
    const agent = known ?? newLiveAgent(instance, spec, now, this.#leases.of(key));
    Object.assign(agent, { spec, state });
    if (known === undefined) this.#agents.set(key, agent);
    if (spec.kind === 'person') {
      this.#people.add(agent);
      this.#polling.delete(agent);
    } else {
      this.#people.delete(agent);
      if (agent.polls.size > 0) this.#polling.add(agent);
    }
    if (known === undefined || isNews) {
      agent.scheduler = schedulerAgentOf(key, instance, spec);
      this.#lives.add(agent);
      for (const lease of agent.leases) this.#extend(lease, agent);
    }
    this.#arm();
    this.#refresh(agent);
    if (isNews) this.onAgent(agent.scheduler, key);
    if (agent.scheduler.free > 0) this.onDemand();
    return agent;
  }

  get size(): number {
    return this.#agents.size;
  }

  /** Agents that are suspect or gone. */
  get silent(): number {
    return [...this.#agents.values()].filter(({ life }) => life.life !== 'alive').length;
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

  people(): IterableIterator<LiveAgent> {
    return this.#people.values();
  }

  /** Draining: its open polls end empty and it gets no more. Cordoned: they stay open, and nothing comes. */
  setState(key: string, state: AgentState): void {
    const agent = this.#agents.get(key);
    if (agent === undefined) return;
    agent.state = state;
    if (state === 'draining') for (const poll of [...agent.polls]) poll.give([]);
    this.#refresh(agent);
    if (agent.scheduler.free > 0) this.onDemand();
  }

  /** Its open polls end empty; its leases run out, those of a person at once. */
  remove(key: string): void {
    const agent = this.#agents.get(key);
    if (agent === undefined) return;
    for (const poll of [...agent.polls]) poll.give([]);
    if (agent.spec.kind === 'person') this.#expireAll(agent);
    this.#drop(agent);
  }

  #drop(agent: LiveAgent): void {
    this.#agents.delete(agent.key);
    this.#leases.forget(agent.key);
    this.#people.delete(agent);
    this.#heard.delete(agent);
    this.#lives.delete(agent);
    this.onAgent(null, agent.key);
  }

  /** A call of the agent. `beat`: its own heartbeat, whose interval it is then held to. */
  seen(agent: LiveAgent, beat = false): void {
    const now = this.#clock.now();
    this.#heard.set(agent, { at: now, beat: beat || this.#heard.get(agent)?.beat === true });
    this.#seenAt(agent, now, beat);
  }

  #seenAt(agent: LiveAgent, at: number, beat: boolean): void {
    const isChanged = this.#lives.seen(agent, at, beat);
    this.#arm();
    if (!isChanged) return;
    this.#refresh(agent);
    if (agent.scheduler.free > 0) this.onDemand();
  }

  /** A call about a lease is one of its agent. */
  heardOf(leaseId: string): Lease | undefined {
    const lease = this.#leases.get(leaseId);
    const agent = lease && this.#agents.get(lease.agent);
    if (agent) this.seen(agent);
    return lease;
  }

  /** What was heard since the last call, for the other replicas. */
  takeHeard(): SignOfLife[] {
    const now = this.#clock.now();
    const signs = [...this.#heard].map(([{ key }, { at, beat }]) => ({ key, agoMs: Math.max(0, now - at), beat }));
    this.#heard.clear();
    return signs;
  }

  /** What another replica heard. */
  heardElsewhere(signs: readonly SignOfLife[]): void {
    const now = this.#clock.now();
    for (const { key, agoMs, beat } of signs) {
      const agent = this.#agents.get(key);
      if (agent && now - agoMs > agent.life.lastSeenAt) this.#seenAt(agent, now - agoMs, beat); // else it is no news
    }
  }

  /** A person who gave a ticket back gets no other for a while, so that it goes to somebody else first. */
  gaveBack(key: string): void {
    const agent = this.#agents.get(key);
    if (agent?.spec.kind !== 'person') return;
    this.#lives.hold(agent, this.#clock.now() + REST_MS);
    this.#refresh(agent);
    this.#arm();
  }

  #look(): void {
    this.#timer = null;
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    const { suspected, left, gone, returned, opened, forgotten } = this.#lives.look(now);
    const reports: LifeReport[] = [];
    for (const agent of gone) reports.push(reportOf('agent.gone', agent, now));
    for (const agent of returned) reports.push(reportOf('agent.returned', agent, now));
    for (const agent of left) this.#expireAll(agent);
    for (const agent of [...suspected, ...left, ...opened]) this.#refresh(agent);
    for (const agent of forgotten) this.#drop(agent);
    this.#arm();
    if (reports.length > 0) this.onLife(reports);
    if (opened.some(({ scheduler }) => scheduler.free > 0)) this.onDemand();
  }

  #arm(): void {
    const at = this.#lives.next();
    if (this.#isClosed || at >= this.#timerAt) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#look(), Math.min(Math.max(0, at - this.#clock.now()), 2 ** 31 - 1));
    this.#timer.unref?.(); // absent under simulated time
  }

  #expireAll(agent: LiveAgent): void {
    for (const lease of agent.leases) this.expireNow(lease);
    if (agent.leases.size > 0) this.onExpired();
  }

  /** What the scheduler sees follows from the rest. */
  #refresh(agent: LiveAgent): void {
    const { scheduler, state, life } = agent;
    scheduler.open = state === 'active' && life.life === 'alive' && life.heldUntil <= this.#clock.now();
    agent.free = Math.max(0, Math.min(this.#asked(agent), agent.spec.concurrency - agent.leases.size));
    scheduler.free = agent.free;
  }

  /** Tickets it asks for. */
  #asked(agent: LiveAgent): number {
    if (!agent.scheduler.open) return 0;
    if (agent.spec.kind === 'person') return agent.spec.concurrency;
    let asked = 0;
    for (const poll of agent.polls) asked += poll.max;
    return asked;
  }

  lease(leaseId: string): Lease | undefined {
    return this.#leases.get(leaseId);
  }

  /** Waits for work; resolves empty when nothing came in time, the agent drains, or the signal aborts. */
  poll(agent: LiveAgent, max: number, waitMs: number, signal?: AbortSignal): Promise<Lease[]> {
    this.seen(agent);
    if (agent.state === 'draining' || signal?.aborted || max < 1) return Promise.resolve([]);
    return new Promise((resolve) => {
      const poll: Poll = {
        max,
        give: (leases) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
          agent.polls.delete(poll);
          if (agent.polls.size === 0) this.#polling.delete(agent);
          // Until now the open poll stood for the agent; a connection that broke says nothing.
          if (!signal?.aborted && !agent.life.keepsInterval) this.seen(agent);
          this.#refresh(agent);
          resolve(leases);
        },
      };
      const onAbort = (): void => poll.give([]);
      const timer = setTimeout(onAbort, waitMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      agent.polls.add(poll);
      if (!this.#people.has(agent)) this.#polling.add(agent);
      this.#refresh(agent);
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
  ): SchedulerAgent[] {
    const candidates: SchedulerAgent[] = [];
    // Few agents are touched by one commit; of all others what they would take is known.
    const touched = new Map<LiveAgent, number>();
    for (const key of [...freed.keys(), ...(pending?.freed.keys() ?? []), ...(pending?.taken.keys() ?? [])]) {
      const agent = this.#agents.get(key);
      if (agent === undefined) continue;
      const taken = pending?.taken.get(key) ?? 0;
      const ended = (freed.get(key) ?? 0) + (pending?.freed.get(key) ?? 0);
      const room = agent.spec.concurrency - agent.leases.size - taken + ended;
      touched.set(agent, Math.max(0, Math.min(this.#asked(agent) - taken, room)));
    }
    const consider = (agent: LiveAgent): void => {
      const free = (touched.size === 0 ? undefined : touched.get(agent)) ?? agent.free;
      agent.scheduler.free = free;
      if (free > 0) candidates.push(agent.scheduler);
    };
    for (const agent of this.#polling) consider(agent);
    for (const agent of this.#people) consider(agent);
    return candidates;
  }

  /**
   * Takes up a lease whose ticket is running after the commit, or was running before a restart. `until`: when the attempt
   * must end; a person's lease lasts so long.
   */
  grant(
    { until, ...lease }: Omit<Lease, 'expiresAt' | 'stop' | 'progress' | 'logs'> & { until?: number },
    stop = false,
  ): Lease {
    const granted: Lease = { ...lease, expiresAt: until ?? 0, stop, progress: null, logs: [] };
    const agent = this.#agents.get(granted.agent);
    this.#leases.add(granted);
    this.#extend(granted, agent);
    if (agent) this.#refresh(agent);
    return granted;
  }

  /** By one lease duration from now. A person's lease ends with the attempt, which the flow sees to. */
  #extend(lease: Lease, agent: LiveAgent | undefined): void {
    if (agent?.spec.kind === 'person') return this.#expiries.delete(lease);
    lease.expiresAt = this.#clock.now() + this.leaseDurationMs;
    this.#expiries.set(lease, lease.expiresAt);
  }

  /** Hands granted leases to the polls of one agent, in order; what no poll takes comes back, but for a person's: they wait in the inbox. */
  deliver(agentKey: string, leases: Lease[]): Lease[] {
    const agent = this.#agents.get(agentKey);
    let from = 0;
    for (const poll of agent === undefined ? [] : [...agent.polls]) {
      if (from >= leases.length) break;
      poll.give(leases.slice(from, (from += poll.max)));
    }
    return agent?.spec.kind === 'person' ? [] : leases.slice(from);
  }

  /** The attempt is alive; throws LEASE_FENCED when it is not the one that counts. */
  heartbeat(leaseId: string, fence: number, progress?: number, logs?: readonly string[]): Lease {
    const lease = this.#leases.get(leaseId);
    if (lease === undefined || lease.fence !== fence) {
      throw new ColmeiaError('LEASE_FENCED', `lease "${leaseId}" with fencing token ${fence} is not held any more`);
    }
    const agent = this.#agents.get(lease.agent);
    this.#extend(lease, agent);
    if (progress !== undefined) lease.progress = progress;
    if (logs !== undefined) keepLogs(lease, logs);
    if (agent) this.seen(agent);
    return lease;
  }

  /** The attempt has ended; nothing happens when it is unknown. */
  end(leaseId: string): void {
    const lease = this.#leases.get(leaseId);
    if (lease === undefined) return;
    this.#leases.delete(lease);
    this.#expiries.delete(lease);
    const agent = this.#agents.get(lease.agent);
    if (agent === undefined) this.#leases.forget(lease.agent);
    else this.#refresh(agent);
  }

  nextExpiry(): number {
    return this.#expiries.next();
  }

  /**
   * Leases that ran out, some at a time, so that the end of a whole fleet does not hold the process; each is named once. When
   * this comes late the process was away (asleep, or its clock leapt): then agents have a whole lease to be heard again.
   */
  takeExpired(now: number): Lease[] {
    const isLate = this.#expiries.next() > 0 && now - this.#expiries.next() > this.leaseDurationMs / 2;
    if (!isLate) return this.#expiries.take(now, EXPIRED_AT_ONCE);
    for (const lease of this.#expiries.take(Number.MAX_VALUE)) this.#extend(lease, this.#agents.get(lease.agent));
    return [];
  }

  /** For the journal: why a lease that ran out did. */
  whyExpired({ agent: key }: Lease): string {
    const agent = this.#agents.get(key);
    const life = agent?.life.life ?? 'alive';
    const name = `agent ${agentIdOf(key)}`;
    if (life === 'gone')
      return `${name} is gone: nothing was heard of it for ${this.#clock.now() - agent!.life.lastSeenAt} ms`;
    return `${name} was not heard of for ${this.leaseDurationMs} ms`;
  }

  /** Makes a lease run out (again) at once. */
  expireNow(lease: Lease): void {
    if (this.#leases.has(lease)) this.#expiries.set(lease, 0);
  }

  /** Forgets the leases of plans that this process no longer owns, or of all. */
  forget(of: (lease: Lease) => boolean): void {
    for (const lease of [...this.#leases.all()]) if (of(lease)) this.end(lease.leaseId);
  }

  /** Ends every poll, so that the process can stop. */
  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const agent of this.#agents.values()) for (const poll of [...agent.polls]) poll.give([]);
  }
}

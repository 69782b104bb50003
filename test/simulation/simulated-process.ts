import { isDeepStrictEqual } from 'node:util';
import { AgentRegistry } from '../../src/execution/agents/agent-registry.ts';
import type { CompanyWriter } from '../../src/execution/flow/company-writer.ts';
import { FlowEngine, type CommittedRow } from '../../src/execution/flow/flow-engine.ts';
import { localWriter } from '../../src/execution/flow/local-writer.ts';
import { readSchedulingConfig } from '../../src/execution/swarm/scheduling-config.ts';
import { outcomesOf } from '../../src/execution/swarm/outcomes-of.ts';
import { Swarm } from '../../src/execution/swarm/swarm.ts';
import { restorePlan, type KeptPlan } from '../../src/execution/flow/restore.ts';
import { rulesOf } from '../../src/execution/plans/generate-tickets.ts';
import { leaseIdOf } from '../../src/execution/plans/plan.ts';
import type { TicketSpec } from '../../src/execution/plans/ticket.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import type { Store } from '../../src/platform/store/store.ts';
import { liveTokens, type Invariants } from './invariants.ts';
import type { MemoryDatabase, TicketRow } from './memory-database.ts';
import { MemoryStore, type Weather } from './memory-store.ts';
import type { Plant } from './planted-bugs.ts';
import type { VirtualTime } from './virtual-time.ts';

export const LEASE_MS = 1_500;
/** An agent that has shown its pace is gone after twice this, before its lease runs out. */
const HEARTBEAT_MS = 600;

export type ProcessWorld = {
  time: VirtualTime;
  tier: Store['tier'];
  random: () => number;
  database: MemoryDatabase;
  invariants: Invariants;
  plant: Plant;
  weather: (kind: 'flush' | 'read' | 'write') => Weather;
};

/** One process of Colmeia: its engine, its registry and its connection. When it is killed, nobody hears of it any more. */
export class SimulatedProcess {
  readonly registry: AgentRegistry;
  readonly engine: FlowEngine;
  readonly swarm: Swarm;
  readonly writer: CompanyWriter;
  isAlive = true;
  readonly #world: ProcessWorld;
  readonly #connection: MemoryStore;
  readonly #died: Promise<never>;
  #die: (error: Error) => void = () => {};

  constructor(world: ProcessWorld) {
    this.#world = world;
    const { time, random, database, plant, weather } = world;
    const clock = { now: () => time.now };
    this.#died = new Promise((_, reject) => (this.#die = reject));
    this.#died.catch(() => {});
    this.#connection = new MemoryStore(world.tier, database, (ms) => time.sleep(ms), weather);
    const store: Store = plant.store?.(this.#connection, (ms) => time.sleep(ms)) ?? this.#connection;
    const registry = new AgentRegistry(clock, LEASE_MS, HEARTBEAT_MS);
    this.registry = plant.registry?.(registry) ?? registry;
    const onCommitted = (rows: readonly CommittedRow[]): void => {
      this.#checkCommitted(rows);
      for (const row of rows)
        for (const outcome of outcomesOf(row, (planId) => row.planOf(planId))) this.swarm.learn(outcome, true);
    };
    const log = (level: string, data: Record<string, unknown>, message: string): void =>
      this.#checkLog(level, data, message);
    const config = readSchedulingConfig({});
    this.swarm = new Swarm({ config, random, tierOf: () => 'bronze', onBusy: () => {} });
    this.registry.onAgent = (agent, key) => this.swarm.setAgent(agent, key);
    const dispatcher = this.swarm;
    this.engine = new FlowEngine({ store, clock, random, registry: this.registry, dispatcher, onCommitted, log });
    const explained = { why: async () => null, explain: async () => null };
    const writer = { ...localWriter({ engine: this.engine, registry: this.registry, store }), ...explained };
    this.writer = plant.writer?.(writer) ?? writer;
    void this.#tick();
  }

  /** As LiveSwarm does: what kept agents from tickets may end by itself. */
  async #tick(): Promise<void> {
    while (this.isAlive) {
      await this.#world.time.sleep(1_000);
      if (!this.isAlive) return;
      this.swarm.tick(this.#world.time.now, () => false);
      if (this.swarm.size > 0) this.registry.onDemand();
    }
  }

  /** Takes the companies over; tries until the database lets it. */
  async own(companies: readonly string[]): Promise<void> {
    await this.#persist(() => this.engine.own(companies));
  }

  /** After a second owner is gone: what was its doing is loaded. The lock that divides the companies brings this about. */
  async ownAgain(companies: readonly string[]): Promise<void> {
    await this.#persist(() => this.engine.disown(companies));
    await this.own(companies);
  }

  async #persist(work: () => Promise<void>): Promise<void> {
    while (this.isAlive) {
      try {
        return await work();
      } catch {
        await this.#world.time.sleep(100);
      }
    }
  }

  /** An answer of this process, or the loss of the connection to it. */
  ask<T>(question: (process: SimulatedProcess) => Promise<T>): Promise<T> {
    return Promise.race([question(this), this.#died]);
  }

  /** kill −9: what is under way at the database may or may not come true. */
  kill(arrives: boolean): void {
    this.isAlive = false;
    this.#connection.cut(arrives);
    this.#die(new Error('CONNECTION_LOST'));
    void this.engine.stop();
    this.registry.close();
  }

  /** A clean stop: answers are still given. */
  async stop(): Promise<void> {
    await this.engine.stop();
    if (!this.isAlive) return;
    this.kill(true);
  }

  #checkLog(level: string, data: Record<string, unknown>, message: string): void {
    const error = data.err as Error & { code?: string };
    if (level === 'error' && this.isAlive && !isColmeiaError(error) && error.code === undefined) {
      this.#world.invariants.broken(`${message}: ${error.stack ?? error}`);
    }
  }

  /** What a process says is committed is in the database; with nothing under way its memory is what the database holds. */
  #checkCommitted(rows: readonly CommittedRow[]): void {
    const { database, invariants } = this.#world;
    if (!this.isAlive) return;
    for (const { instance, seq } of rows) {
      const row = database.journal.get(`${instance}/${seq}`);
      if (row === undefined) return invariants.broken(`commit ${seq} of ${instance} was told and is not there`);
      if (this.#connection.flushing === 0 && database.heads.get(instance)!.seq === seq)
        this.#checkQuiet(instance, row.plans);
    }
  }

  #checkQuiet(instance: string, plans: readonly number[]): void {
    plans.forEach((key) => this.#checkMemory(key));
    let open = 0;
    for (const plan of this.engine.allOpenPlans()) if (plan.instance === instance) open += plan.state.open;
    const counted = this.engine.openTickets(instance);
    if (counted !== open)
      this.#world.invariants.broken(`${instance} has ${open} open tickets, its queue counts ${counted}`);
  }

  #checkMemory(key: number): void {
    const { database, invariants } = this.#world;
    const live = this.engine.plan(key);
    const row = database.plans.get(key);
    if (live === null || row === undefined) return;
    const kept = database.ticketsOf(key);
    const state = restorePlan({
      flow: row.flow as number,
      status: row.status as KeptPlan['status'],
      control: JSON.parse(row.control as string) as KeptPlan['control'],
      rules: kept.map((ticket) => rulesOf(JSON.parse(ticket.spec as string) as TicketSpec, ticket.deps)),
      tickets: kept.map((ticket) => ({
        status: ticket.status,
        attempt: ticket.attempt,
        fence: ticket.fence,
        agent: ticket.agent,
        due: ticket.due,
        deadline: ticket.deadline,
        startedAt: ticket.started_at,
        endedAt: ticket.ended_at,
        note: ticket.note === null ? null : JSON.parse(ticket.note),
      })) as KeptPlan['tickets'],
    });
    const memory = JSON.parse(JSON.stringify({ ...live.state, timerAt: null })) as unknown;
    if (!isDeepStrictEqual(memory, { ...state, timerAt: null })) {
      invariants.broken(
        `memory of plan ${row.id} differs from the database:\n${JSON.stringify(memory)}\n${JSON.stringify(state)}`,
      );
    }
    if (live.rev !== row.rev)
      invariants.broken(`memory has revision ${live.rev} of plan ${row.id}, the database ${row.rev}`);
    for (const row of kept) this.#checkLeases(row);
    const due = state.timerAt;
    if (due !== null && (live.state.timerAt === null || live.state.timerAt > due))
      invariants.broken(`plan ${row.id} sleeps past ${due}`);
  }

  /** One lease for each attempt that runs, and none for those that ended. */
  #checkLeases(row: TicketRow): void {
    const live = liveTokens(row);
    for (let fence = 1; fence <= row.fence; fence++) {
      const lease = this.registry.lease(leaseIdOf(row.plan, row.n, fence));
      if ((lease !== undefined) !== live.includes(fence)) {
        const what = lease === undefined ? 'is not held' : `of ${lease.agent} is held on`;
        this.#world.invariants.broken(`the lease ${row.plan}/${row.n} under ${fence} ${what}; [${live}] run`);
      }
    }
  }
}

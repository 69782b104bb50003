import type { Clock, Random } from '../../platform/clock.ts';
import type { JournalFeed } from '../../platform/bus/journal-feed.ts';
import type { BusRow } from '../../platform/bus/journal-reader.ts';
import type { Store } from '../../platform/store/store.ts';
import type { JournalEvent } from '../../trust/audit/journal.ts';
import { SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';
import type { CommittedRow } from '../flow/flow-engine-options.ts';
import type { Statements } from '../flow/flow-store.ts';
import type { SwitchbackSnapshot } from '../scheduling/experiments/switchback.ts';
import type { Policy } from '../scheduling/policy.ts';
import { JournalLearner } from './journal-learner.ts';
import { readSchedulingConfig, type SchedulingConfig } from './scheduling-config.ts';
import { Swarm, type SwarmEvent, type SwarmSnapshot } from './swarm.ts';
import { readState, writeState } from './swarm-store.ts';

/** How often the swarm looks at the time while there is work. */
const TICK_MS = 1_000;
/** Changes that wait to be written down; beyond it the oldest are dropped, as the next ones say where things stand. */
const EVENTS_LIMIT = 1_000;

/** The policy as it was set, with who did and when. */
export type KeptPolicy = { document: Record<string, unknown>; at: number; by: string };
type KeptKnowledge = SwarmSnapshot & { cursors?: Record<string, number> };

export type LiveSwarmOptions = {
  store: Store;
  clock: Clock;
  random: Random;
  feed: Pick<JournalFeed, 'onRows' | 'rowsAfter'>;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
  /** What holds where nothing else was set: COLMEIA_SCHEDULING and the caps of the environment. */
  document: Record<string, unknown>;
  caps: Partial<Policy['caps']>;
  tierOf: (instance: string) => string;
  owns: (instance: string) => boolean;
  append: (instance: string, events: readonly JournalEvent[], statements: Statements) => Promise<void>;
  /** Tickets wait, and what kept agents from them (a breaker, a closed pool) may have changed with the time. */
  wake: () => void;
};

/**
 * The swarm in a process: with its timer, its journal, and what it keeps in the database. One replica, the writer of the
 * fleet's own journal, keeps what was learned and runs experiments; the others follow by the journal.
 */
export class LiveSwarm {
  readonly swarm: Swarm;
  readonly #options: LiveSwarmOptions;
  readonly #learner: JournalLearner;
  #kept: KeptPolicy | null;
  #timer: NodeJS.Timeout | null = null;
  #events: SwarmEvent[] = [];
  #writing: Promise<void> = Promise.resolve();
  #stopped = false;

  private constructor(
    options: LiveSwarmOptions,
    config: SchedulingConfig,
    kept: { policy: KeptPolicy | null; knowledge: KeptKnowledge; experiment: SwitchbackSnapshot | null },
  ) {
    const { random, tierOf, owns } = options;
    this.#options = options;
    this.#kept = kept.policy;
    const { cursors = {}, ...snapshot } = kept.knowledge;
    this.swarm = new Swarm({
      config,
      random,
      tierOf,
      snapshot,
      experiment: kept.experiment,
      onBusy: () => this.#start(),
    });
    this.#learner = new JournalLearner({
      ...options,
      cursors,
      learn: (outcome, isOurs) => this.swarm.learn(outcome, isOurs),
      onForeign: (row) => this.#follow(row),
      snapshot: () => this.swarm.snapshot(),
      keeps: () => owns(SYSTEM_INSTANCE),
    });
  }

  /** With what was kept. A policy that this version does not understand is left aside, and said. */
  static async open(options: LiveSwarmOptions): Promise<LiveSwarm> {
    const { store, document, caps, log } = options;
    const [policy, knowledge, experiment] = await Promise.all([
      readState(store, 'policy') as Promise<KeptPolicy | null>,
      readState(store, 'knowledge') as Promise<KeptKnowledge | null>,
      readState(store, 'experiment') as Promise<SwitchbackSnapshot | null>,
    ]);
    const initial = readSchedulingConfig(document, caps);
    let config = initial;
    try {
      if (policy !== null) config = readSchedulingConfig(policy.document, caps);
    } catch (error) {
      log('error', { err: error }, 'the scheduling policy that was set is not understood; the configured one is used');
    }
    return new LiveSwarm(options, config, { policy, knowledge: knowledge ?? {}, experiment });
  }

  /** When the companies of this process are known. */
  async start(): Promise<void> {
    await this.#learner.start();
    if (this.swarm.isExperimenting) this.#start();
  }

  committed(rows: readonly CommittedRow[]): void {
    this.#learner.committed(rows);
  }

  disowned(names: readonly string[]): void {
    this.#learner.disowned(names);
  }

  /** Before the flow stops: what happened is written down. */
  async quiet(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#writing;
  }

  /** After the flow has stopped: what was learned is kept. */
  stop(): Promise<void> {
    return this.#learner.stop();
  }

  /** The policy that was set; null = the configured one holds. */
  get kept(): KeptPolicy | null {
    return this.#kept;
  }

  /** Throws INVALID_POLICY with every fault; nothing has changed then. */
  async setPolicy(document: unknown, by: string): Promise<void> {
    const { caps, clock, append } = this.#options;
    const config = readSchedulingConfig(document, caps);
    const kept = { document: config.document, at: clock.now(), by };
    const data = { from: this.swarm.config.document, to: config.document };
    const event = { type: 'scheduler.policy_changed', by, data };
    await append(SYSTEM_INSTANCE, [event], [writeState('policy', kept)]);
    this.#kept = kept;
    this.swarm.configure(config);
  }

  async resetTrails(filter: { type?: string; agent?: string }, by: string): Promise<number> {
    await this.#options.append(SYSTEM_INSTANCE, [{ type: 'scheduler.trails_reset', by, data: filter }], []);
    const removed = this.swarm.knowledge.trails.reset(filter);
    this.#learner.changed();
    return removed;
  }

  /** Keeps the experiment as it is now, with what is to be said of it. */
  async keepExperiment(type: string, by: string, data: Record<string, unknown>): Promise<void> {
    const { experiment } = this.swarm;
    const statements = experiment === null ? [] : [writeState('experiment', experiment.snapshot())];
    await this.#options.append(SYSTEM_INSTANCE, [{ type, by, data }], statements);
  }

  #start(): void {
    if (this.#timer !== null || this.#stopped) return;
    this.#timer = setTimeout(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  #tick(): void {
    this.#timer = null;
    const { owns, clock, log, wake } = this.#options;
    try {
      const { events, calm } = this.swarm.tick(clock.now(), owns(SYSTEM_INSTANCE));
      this.#write(events);
      if (this.swarm.size > 0) wake();
      if (!calm) this.#start();
    } catch (error) {
      log('error', { err: error }, 'the scheduler could not look at the time; tried again');
      this.#start();
    }
  }

  #write(events: readonly SwarmEvent[]): void {
    if (events.length === 0) return;
    this.#events.push(...events);
    this.#events.splice(0, this.#events.length - EVENTS_LIMIT);
    this.#writing = this.#writing.then(() => this.#flush());
  }

  async #flush(): Promise<void> {
    const { append, log } = this.#options;
    const byCompany = Map.groupBy(this.#events.splice(0), ({ instance }) => instance ?? SYSTEM_INSTANCE);
    for (const [instance, events] of byCompany) {
      try {
        const isExperiment = events.some(({ type }) => type.startsWith('experiment.'));
        const { experiment } = this.swarm;
        const statements = isExperiment && experiment !== null ? [writeState('experiment', experiment.snapshot())] : [];
        const said = events.map(({ type, data }) => ({ type, by: 'engine', data }));
        await append(instance, said, statements);
      } catch (error) {
        log(
          'warn',
          { err: error, instance, events: events.length },
          'what the scheduler did could not be written down',
        );
      }
    }
  }

  /** What another replica has done. */
  #follow({ instance, events }: BusRow): void {
    if (instance !== SYSTEM_INSTANCE) return;
    for (const { type, data } of events) {
      if (type === 'scheduler.policy_changed') void this.#followPolicy();
      else if (type === 'scheduler.trails_reset') this.swarm.knowledge.trails.reset(data as { type?: string });
      else if (type === 'experiment.switched') this.swarm.followExperiment((data?.preset ?? null) as string | null);
      else if (type === 'experiment.ended') this.swarm.followExperiment(null);
    }
  }

  async #followPolicy(): Promise<void> {
    const { store, caps, log } = this.#options;
    try {
      const kept = (await readState(store, 'policy')) as KeptPolicy | null;
      if (kept === null) return;
      this.swarm.configure(readSchedulingConfig(kept.document, caps));
      this.#kept = kept;
    } catch (error) {
      log('error', { err: error }, 'the scheduling policy that another replica set could not be taken up');
    }
  }
}

import type { Clock, Random } from '../../platform/clock.ts';
import type { JournalFeed } from '../../platform/bus/journal-feed.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import type { Store } from '../../platform/store/store.ts';
import type { JournalEvent } from '../../trust/audit/journal.ts';
import { SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';
import type { CommittedRow } from '../flow/flow-engine-options.ts';
import type { Statements } from '../flow/flow-store.ts';
import type { ExperimentSettings } from '../scheduling/experiments/experiment-settings.ts';
import { Switchback, type SwitchbackSnapshot } from '../scheduling/experiments/switchback.ts';
import type { Policy } from '../scheduling/policy.ts';
import { JournalLearner } from './journal-learner.ts';
import { readSchedulingConfig, type SchedulingConfig } from './scheduling-config.ts';
import { Swarm, type SwarmSnapshot } from './swarm.ts';
import type { SwarmEvent } from './swarm-event.ts';
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
  initial: SchedulingConfig;
  /** Of a policy that names none. */
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
  #experimentWork: Promise<void> = Promise.resolve();
  /** Events of the fleet's journal that this process acts on without hearing of them. */
  readonly #ours = new WeakSet<JournalEvent>();
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
      doubt: (instance, type, at) => this.swarm.doubt(instance, type, at),
      onForeign: (row) => this.#follow(row),
      snapshot: () => this.swarm.snapshot(),
      keeps: () => owns(SYSTEM_INSTANCE),
    });
  }

  /** With what was kept. A policy that this version does not understand is left aside, and said. */
  static async open(options: LiveSwarmOptions): Promise<LiveSwarm> {
    const { store, initial, caps, log } = options;
    const [policy, knowledge, experiment] = await Promise.all([
      readState(store, 'policy') as Promise<KeptPolicy | null>,
      readState(store, 'knowledge') as Promise<KeptKnowledge | null>,
      readState(store, 'experiment') as Promise<SwitchbackSnapshot | null>,
    ]);
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
    for (const row of rows) this.#follow(row);
  }

  owned(names: readonly string[]): void {
    this.#learner.owned(names);
  }

  disowned(names: readonly string[]): void {
    this.#learner.disowned(names);
  }

  /** The company is gone, or has another name. */
  forget(instance: string): void {
    this.#learner.forget(instance);
    this.swarm.forget(instance);
  }

  /** Before the flow stops: what happened is written down. */
  async quiet(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.all([this.#writing, this.#experimentWork]);
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
    const { caps, clock } = this.#options;
    const config = readSchedulingConfig(document, caps);
    const kept = { document: config.document, at: clock.now(), by };
    const data = { from: this.swarm.config.document, to: config.document };
    await this.#say({ type: 'scheduler.policy_changed', by, data }, [writeState('policy', kept)]);
    this.#kept = kept;
    this.swarm.configure(config);
  }

  async resetTrails(filter: { type?: string; agent?: string }, by: string): Promise<number> {
    await this.#say({ type: 'scheduler.trails_reset', by, data: filter });
    const removed = this.swarm.knowledge.trails.reset(filter);
    this.#learner.changed();
    return removed;
  }

  /** Throws EXPERIMENT_RUNNING. */
  startExperiment(settings: ExperimentSettings, by: string): Promise<void> {
    const { swarm } = this;
    return this.#onExperiment(async () => {
      const before = swarm.experiment;
      if (swarm.isExperimenting)
        throw new ColmeiaError('EXPERIMENT_RUNNING', 'an experiment is under way; stop it, or wait for its end');
      swarm.begin(new Switchback({ settings, at: this.#options.clock.now() }));
      await this.#sayExperiment({ type: 'experiment.started', by, data: { ...settings } }).catch((error) => {
        swarm.follow(before);
        throw error;
      });
    });
  }

  /** Nothing happens when none is under way. */
  stopExperiment(reason: string | null, by: string): Promise<void> {
    const { swarm } = this;
    return this.#onExperiment(async () => {
      const { experiment } = swarm;
      if (experiment === null || !swarm.isExperimenting) return;
      const before = experiment.snapshot();
      const result = experiment.stop(this.#options.clock.now());
      swarm.follow(experiment);
      await this.#sayExperiment({ type: 'experiment.ended', by, data: { ...result, reason } }).catch((error) => {
        swarm.follow(new Switchback(before));
        throw error;
      });
    });
  }

  /** One after the other, so that what another replica kept never goes over what this one is about to. */
  #onExperiment(work: () => Promise<void>): Promise<void> {
    const done = this.#experimentWork.then(work);
    this.#experimentWork = done.catch(() => {});
    return done;
  }

  #sayExperiment(event: JournalEvent): Promise<void> {
    return this.#say(event, [writeState('experiment', this.swarm.experiment!.snapshot())]);
  }

  /** In the fleet's journal; what it says is done here by the caller, and everywhere else by `#follow`. */
  async #say(event: JournalEvent, statements: Statements = []): Promise<void> {
    this.#ours.add(event);
    await this.#options.append(SYSTEM_INSTANCE, [event], statements);
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
      const { events, calm } = this.swarm.tick(clock.now(), owns);
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
      const said = events.map(({ type, data }): JournalEvent => ({ type, by: 'engine', data }));
      for (const event of said) this.#ours.add(event);
      const { experiment } = this.swarm;
      const isExperiment = experiment !== null && said.some(isOfExperiment);
      try {
        await append(instance, said, isExperiment ? [writeState('experiment', experiment.snapshot())] : []);
      } catch (error) {
        log(
          'warn',
          { err: error, instance, events: events.length },
          'what the scheduler did could not be written down',
        );
      }
    }
  }

  /** What another replica has done, or this one was asked to write down for it. */
  #follow({ instance, events }: { instance: string; events: readonly JournalEvent[] }): void {
    if (instance !== SYSTEM_INSTANCE) return;
    for (const event of events) {
      const { type, data } = event;
      if (this.#ours.has(event)) continue;
      if (type === 'scheduler.policy_changed') void this.#followPolicy();
      else if (type === 'scheduler.trails_reset') this.swarm.knowledge.trails.reset(data as { type?: string });
      else if (isOfExperiment(event)) {
        const isNew = type === 'experiment.started';
        void this.#onExperiment(() => this.#followExperiment(isNew));
      }
    }
  }

  async #followExperiment(isNew: boolean): Promise<void> {
    const { store, log } = this.#options;
    try {
      const kept = (await readState(store, 'experiment')) as SwitchbackSnapshot | null;
      if (kept === null) return;
      if (isNew && kept.result === null) this.swarm.begin(new Switchback(kept));
      else this.swarm.follow(new Switchback(kept));
    } catch (error) {
      log('error', { err: error }, 'the experiment that another replica works on could not be taken up');
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

const isOfExperiment = ({ type }: JournalEvent): boolean => type.startsWith('experiment.');

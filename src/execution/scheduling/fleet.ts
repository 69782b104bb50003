import { Heap } from '../../platform/heap.ts';
import { isBurst } from './contingency/burst-pool.ts';
import { isLastResort } from './contingency/contingency.ts';
import { clearanceOf, FILTER_PLUGINS, type FilterName, type FilterPlugin } from './filter-plugins.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';
import type { AgentState, Run, TicketClass, Wanted } from './scheduler-state.ts';
import { TicketMap } from './ticket-map.ts';

/** The agents, what each can do, and what runs where. */
export class Fleet {
  readonly #agents = new Map<string, AgentState>();
  readonly #runs = new TicketMap<Run[]>();
  /** How many run by cap: `label=value`. */
  readonly labelRunning = new Map<string, number>();
  #filters: readonly FilterPlugin[] = [];
  #labels: readonly string[] = [];
  /** What runs on agents that are not there, by agent: after a restart, or because it is gone. */
  readonly #orphans = new Map<string, Set<Run>>();
  readonly #served: (of: TicketClass, isServed: boolean) => void;
  #running = 0;

  /** `served`: a class has got its first agent, or lost its last. */
  constructor(served: (of: TicketClass, isServed: boolean) => void) {
    this.#served = served;
  }

  get running(): number {
    return this.#running;
  }

  get(key: string): AgentState | undefined {
    return this.#agents.get(key);
  }

  agents(): IterableIterator<AgentState> {
    return this.#agents.values();
  }

  /** Filters and labels with a cap, of a policy. The caller then makes every class stale and fills those in use. */
  use(filters: readonly FilterName[], labels: readonly string[]): void {
    this.#filters = filters.map((name): FilterPlugin => FILTER_PLUGINS[name]).filter((plugin) => plugin.fits);
    this.#labels = labels;
    for (const state of this.#agents.values()) state.capped = this.#cappedLabels(state.agent);
    this.labelRunning.clear();
    for (const runs of this.#runs.values())
      for (const run of runs) {
        run.labels = this.#cappedLabels(this.#agents.get(run.agent)?.agent);
        this.#count(run, 1);
      }
  }

  /** What runs on the agent stays. `classes`: all there are. */
  set(agent: SchedulerAgent, classes: Iterable<TicketClass>): void {
    const known = this.#agents.get(agent.key);
    if (known?.agent === agent) return;
    if (known !== undefined) this.#unfit(known);
    const state: AgentState = {
      agent,
      fits: new Map(),
      runs: known?.runs ?? new Heap<Run>((a, b) => a.end < b.end),
      cycle: -1,
      left: 0,
      slots: [],
      slotsCycle: -1,
      pressure: 0,
      pressureCycle: -1,
      turn: known?.turn ?? 0,
      clearance: clearanceOf(agent),
      lastResort: isLastResort(agent),
      burst: isBurst(agent),
      costPerHour: Math.max(0, Number(agent.labels.cost_per_hour ?? 0)) || 0,
      capped: this.#cappedLabels(agent),
    };
    for (const run of this.#orphans.get(agent.key) ?? []) state.runs.push(run);
    this.#orphans.delete(agent.key);
    this.#agents.set(agent.key, state);
    for (const of of classes) {
      if (of.size === 0) of.stale = true;
      else if (!of.stale) this.#fit(state, of);
    }
  }

  /** What runs there counts until it ends. */
  remove(key: string): void {
    const state = this.#agents.get(key);
    if (state === undefined) return;
    this.#unfit(state);
    this.#agents.delete(key);
    for (let run = state.runs.pop(); run !== undefined; run = state.runs.pop()) this.#orphan(run);
  }

  /** Finds the agents of the class when they are not known. */
  fill(of: TicketClass): void {
    if (!of.stale) return;
    this.empty(of);
    of.stale = false;
    for (const state of this.#agents.values()) this.#fit(state, of);
  }

  /** The class knows no agents any more. */
  empty(of: TicketClass): void {
    for (const state of of.shared) state.fits.delete(of);
    for (const list of of.bound.values()) for (const state of list) state.fits.delete(of);
    of.shared = [];
    of.bound.clear();
    of.fastest = [];
    of.fastestAt = -Infinity;
    of.slots = 0;
    of.stale = true;
    if (of.members > 0) this.#served(of, false);
    of.members = 0;
  }

  /** The agent's runs grow; null = the ticket runs there already. */
  begin(run: Omit<Run, 'heapIndex' | 'labels'>): Run | null {
    const runs = this.#runs.get(run.plan, run.n);
    if (runs !== undefined && this.runs(run.plan, run.n, run.agent)) return null;
    const state = this.#agents.get(run.agent);
    const begun: Run = { ...run, heapIndex: -1, labels: state?.capped ?? [] };
    if (runs === undefined) this.#runs.set(run.plan, run.n, [begun]);
    else runs.push(begun);
    if (state === undefined) this.#orphan(begun);
    else state.runs.push(begun);
    this.#count(begun, 1);
    this.#running++;
    begun.account.running++;
    return begun;
  }

  /** null = it does not run there. */
  end(plan: number, n: number, agent: string): Run | null {
    const runs = this.#runs.get(plan, n);
    const at = runs?.findIndex((run) => run.agent === agent) ?? -1;
    if (at < 0) return null;
    const run = runs![at];
    if (runs!.length === 1) this.#runs.delete(plan, n);
    else runs!.splice(at, 1);
    const state = this.#agents.get(agent);
    if (state === undefined) this.#unorphan(run);
    else state.runs.remove(run);
    this.#count(run, -1);
    this.#running--;
    run.account.running--;
    return run;
  }

  /** Whether the ticket runs on the agent. */
  runs(plan: number, n: number, agent: string): boolean {
    for (const run of this.runsOf(plan, n)) if (run.agent === agent) return true;
    return false;
  }

  /** Where the ticket runs. */
  runsOf(plan: number, n: number): readonly Run[] {
    return this.#runs.get(plan, n) ?? [];
  }

  #orphan(run: Run): void {
    const known = this.#orphans.get(run.agent);
    if (known === undefined) this.#orphans.set(run.agent, new Set([run]));
    else known.add(run);
  }

  #unorphan(run: Run): void {
    const known = this.#orphans.get(run.agent);
    known?.delete(run);
    if (known?.size === 0) this.#orphans.delete(run.agent);
  }

  /** Whether the filters of the policy that look at the class let the agent have such tickets. */
  canDo(wanted: Wanted, agent: SchedulerAgent): boolean {
    return this.#filters.every((filter) => filter.fits!(wanted, agent));
  }

  #fit(state: AgentState, of: TicketClass): void {
    const { agent } = state;
    if (!this.canDo(of, agent)) return;
    let list = of.shared;
    if (agent.instance !== null) {
      list = of.bound.get(agent.instance) ?? [];
      of.bound.set(agent.instance, list);
    }
    state.fits.set(of, list.length);
    list.push(state);
    of.slots += agent.concurrency;
    if (of.members++ === 0) this.#served(of, true);
  }

  #unfit(state: AgentState): void {
    const { instance, concurrency } = state.agent;
    for (const [of, at] of state.fits) {
      const list = instance === null ? of.shared : of.bound.get(instance)!;
      const last = list.pop()!;
      if (last !== state) {
        list[at] = last;
        last.fits.set(of, at);
      }
      if (instance !== null && list.length === 0) of.bound.delete(instance);
      of.slots -= concurrency;
      of.fastestAt = -Infinity;
      if (--of.members === 0) this.#served(of, false);
    }
    state.fits.clear();
  }

  #cappedLabels(agent: SchedulerAgent | undefined): readonly string[] {
    if (agent === undefined || this.#labels.length === 0) return [];
    return this.#labels.filter((label) => {
      const at = label.indexOf('=');
      return agent.labels[label.slice(0, at)] === label.slice(at + 1);
    });
  }

  #count(run: Run, by: 1 | -1): void {
    for (const label of run.labels) this.labelRunning.set(label, (this.labelRunning.get(label) ?? 0) + by);
  }
}

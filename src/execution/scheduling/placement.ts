import type { Estimates } from './estimates.ts';
import { FILTER_PLUGINS, type FilterMoment, type FilterPlugin } from './filter-plugins.ts';
import type { Policy } from './policy.ts';
import type { Random } from './models/draws.ts';
import { SCORE_PLUGINS, type ScoreMoment, type ScoreName, type ScorePlugin } from './score-plugins.ts';
import type { Account, AgentState, Entry, FreeList, Run, TicketClass } from './scheduler-state.ts';

/** Of a busy agent the ends of so many runs are looked at. */
const MOST_SLOTS = 16;
/** How long the list of a class's fastest agents is good, ms. */
const FASTEST_MS = 10_000;
/** With more waiting than this for each slot of an agent it is busy anyhow, and nothing is held. */
const LONG_QUEUE = 2;
/** Busy agents looked at in one cycle for each ms that a ticket takes, in a class of at most 64 agents and in proportion
 * less in a larger one: what is short or frequent is not worth much thought. */
const LOOKS_PER_MS = 2;
const MOST_LOOKS = 16_384;
/** Agents of a class that are all looked at when there is time for it: more are free than wait, or some are busy. */
const THOROUGH = 256;
/** A sample in which nobody may is followed by a look at so many more. */
const MOST_PASSED_OVER = 256;

/** What comes out for one ticket: it goes to a free agent, waits for a busy one, or nobody may have it. */
export type Placed = { kind: 'agent'; state: AgentState } | { kind: 'held'; state: AgentState } | { kind: 'none' };

type Candidate = { state: AgentState; costMs: number; startsAt: number };

const NONE: Placed = { kind: 'none' };

/** Chooses the agent for a ticket: least cost among the free, unless a busy one is expected to end it sooner. */
export class Placement {
  readonly #random: Random;
  readonly #estimates: Estimates;
  readonly #allows: (state: AgentState) => boolean;
  #policy: Policy;
  #filters: readonly FilterPlugin[] = [];
  #scores: readonly { name: string; plugin: ScorePlugin; weight: number }[] = [];
  readonly #score: ScoreMoment = { now: 0, base: 0, factor: 1, success: 1 };
  /** Busy agents looked at in the cycle. */
  #looks = 0;
  #looksCycle = -1;

  /** `allows`: caps by label of the agent. */
  constructor(policy: Policy, estimates: Estimates, random: Random, allows: (state: AgentState) => boolean) {
    this.#estimates = estimates;
    this.#random = random;
    this.#allows = allows;
    this.#policy = policy;
    this.use(policy);
  }

  use(policy: Policy): void {
    this.#policy = policy;
    this.#filters = policy.filters
      .map((name): FilterPlugin => FILTER_PLUGINS[name])
      .filter((plugin) => plugin.allows !== undefined);
    this.#scores = Object.entries(policy.scores)
      .filter(([, weight]) => weight !== 0)
      .map(([name, weight]) => ({ name, plugin: SCORE_PLUGINS[name as ScoreName], weight }));
  }

  /** `free`: agents of the class that asked in this cycle; those without room are dropped from the list. */
  place(entry: Entry, free: FreeList, moment: FilterMoment, cycle: number, explores: boolean): Placed {
    const best = this.#bestFree(entry, free, moment, explores);
    if (best === null) return NONE;
    const of = entry.line.class;
    if (!this.#mayHold(entry, of, best.state, moment.now, cycle)) return { kind: 'agent', state: best.state };
    const busy = this.#bestBusy(entry, of, best, moment, cycle);
    if (busy === null) return { kind: 'agent', state: best.state };
    if (entry.holdUntil === 0) {
      const { holdFactor, holdMaxMs } = this.#policy;
      const longest = Math.min(holdMaxMs, holdFactor * this.#expectedMs(entry, best.state, moment.now));
      entry.holdUntil = moment.now + longest;
    }
    entry.heldFor = busy.state.agent.key;
    of.holds++;
    reserve(busy.state, busy.startsAt + this.#expectedMs(entry, busy.state, moment.now));
    return { kind: 'held', state: busy.state };
  }

  /** The best of these agents that may have it now; null = none may. */
  bestOf(entry: Entry, states: AgentState[], moment: FilterMoment, explores: boolean): AgentState | null {
    return this.#bestFree(entry, { states, size: states.length }, moment, explores)?.state ?? null;
  }

  /** What it costs to give the ticket to the agent, ms, without the wait for it. */
  costMs({ ticket, base, line }: Entry, state: AgentState, now: number, explores: boolean): number {
    const { key } = state.agent;
    const score = this.#score;
    score.now = now;
    score.base = base;
    const { type } = line.class;
    if (explores) {
      const drawn = this.#estimates.sample(type, key, now);
      score.factor = drawn.factor;
      score.success = drawn.success;
    } else {
      score.factor = this.#estimates.factor(type, key, now);
      score.success = this.#estimates.success(type, key, now);
    }
    score.success = Math.max(score.success, 1e-3);
    let sum = 0;
    for (const { plugin, weight } of this.#scores) sum += weight * plugin.cost(ticket, state, score);
    return sum;
  }

  /** The same by the parts of the score, without those that cost nothing. */
  partsMs(entry: Entry, state: AgentState, now: number): Record<string, number> {
    const parts: Record<string, number> = {};
    this.costMs(entry, state, now, false); // sets the score
    for (const { name, plugin, weight } of this.#scores) {
      const ms = weight * plugin.cost(entry.ticket, state, this.#score);
      if (ms !== 0) parts[name] = Math.round(ms);
    }
    return parts;
  }

  /** The first filter that keeps the agent from the ticket now, of those that are asked each time; null = none. */
  allowed({ ticket, line }: Entry, state: AgentState, moment: FilterMoment): boolean {
    for (const filter of this.#filters) if (!filter.allows!(ticket, line.class, state, moment)) return false;
    return this.#allows(state);
  }

  #expectedMs({ base, line }: Entry, { agent }: AgentState, now: number): number {
    return base * this.#estimates.factor(line.class.type, agent.key, now);
  }

  #bestFree(entry: Entry, free: FreeList, moment: FilterMoment, explores: boolean): Candidate | null {
    const { sampleAll, sampleSize } = this.#policy;
    const all = entry.line.class.size <= free.size ? Math.max(THOROUGH, sampleAll) : sampleAll;
    let best: Candidate | null = null;
    if (free.size > all) {
      for (let draws = 0; draws < sampleSize && free.size > 0; draws++) {
        const at = Math.floor(this.#random() * free.size);
        best = this.#better(best, entry, free, at, moment, explores) ?? best;
      }
      if (best !== null) return best;
    }
    const until = free.size > all ? Math.max(0, free.size - MOST_PASSED_OVER) : 0;
    for (let at = free.size - 1; at >= until; at--) {
      best = this.#better(best, entry, free, at, moment, explores);
      if (best !== null && free.size > all) return best;
    }
    return best;
  }

  /** The better one of `best` and the free agent at a place; one without room is taken out of the list. */
  #better(
    best: Candidate | null,
    entry: Entry,
    free: FreeList,
    at: number,
    moment: FilterMoment,
    explores: boolean,
  ): Candidate | null {
    const state = free.states[at];
    if (state.left <= 0) {
      free.states[at] = free.states[--free.size];
      return best;
    }
    if (!this.allowed(entry, state, moment)) return best;
    if (!state.lastResort) entry.line.class.roomAt = moment.now;
    const costMs = this.costMs(entry, state, moment.now, explores);
    if (best !== null && costMs >= best.costMs) return best;
    return { state, costMs, startsAt: moment.now };
  }

  #mayHold({ holdUntil, base }: Entry, of: TicketClass, free: AgentState, now: number, cycle: number): boolean {
    const { hold, lookAhead } = this.#policy;
    if (!hold || of.holds >= lookAhead || of.size > of.slots * LONG_QUEUE) return false;
    if (holdUntil !== 0 && now >= holdUntil) return false;
    if (this.#looksCycle !== cycle) [this.#looks, this.#looksCycle] = [0, cycle];
    if (this.#looks > Math.min(MOST_LOOKS, (base * LOOKS_PER_MS * 64) / Math.max(64, of.members))) return false;
    return pressureOn(free, cycle) <= LONG_QUEUE;
  }

  /** A busy agent that is expected to end the ticket before the free one; null = none. */
  #bestBusy(entry: Entry, of: TicketClass, free: Candidate, moment: FilterMoment, cycle: number): Candidate | null {
    const { now } = moment;
    let best: AgentState | null = null;
    let bestMs = free.costMs;
    let startsAt = now;
    const look = (state: AgentState): void => {
      this.#looks++;
      if (state.cycle === cycle && state.left > 0) return;
      const from = this.#freeAt(state, now, cycle);
      if (from - now >= bestMs) return;
      const { agent } = state;
      if (!agent.open || !moment.guard(agent.key, of.type, now).allows) return;
      const ms = from - now + this.costMs(entry, state, now, false);
      if (ms < bestMs) [best, bestMs, startsAt] = [state, ms, from];
    };
    for (const state of of.bound.get(entry.ticket.instance) ?? []) look(state);
    if (of.shared.length <= THOROUGH) for (const state of of.shared) look(state);
    else {
      for (const state of this.#fastestOf(of, now)) look(state);
      for (let draws = 0; draws < this.#policy.sampleSize; draws++)
        look(of.shared[Math.floor(this.#random() * of.shared.length)]);
    }
    return best === null ? null : { state: best, costMs: bestMs, startsAt };
  }

  /** When the agent is expected to have room, epoch ms; Infinity = nothing runs there, so nobody knows when it asks. */
  #freeAt(state: AgentState, now: number, cycle: number): number {
    if (state.slotsCycle !== cycle) {
      state.slotsCycle = cycle;
      state.slots.length = 0;
      for (const run of state.runs.items()) {
        if (state.slots.length === MOST_SLOTS) break;
        const end = this.#endOf(run, now);
        // One that is late is expected to last as long again as it is late.
        state.slots.push(end >= now ? end : now + (now - end));
      }
      state.slots.sort((a, b) => a - b);
    }
    return state.slots[0] ?? Infinity;
  }

  /** What was learned since it began counts: what waits and what runs are measured alike, however wrong the first guess. */
  #endOf({ entry, agent, at, end }: Run, now: number): number {
    if (entry === null) return end;
    const { ticket, line } = entry;
    const base = this.#estimates.base(ticket.spec, ticket.instance);
    return at + base * this.#estimates.factor(line.class.type, agent, now);
  }

  #fastestOf(of: TicketClass, now: number): readonly AgentState[] {
    if (now >= of.fastestAt && now - of.fastestAt < FASTEST_MS) return of.fastest;
    const factors = new Map(of.shared.map((state) => [state, this.#estimates.factor(of.type, state.agent.key, now)]));
    of.fastest = [...of.shared].sort((a, b) => factors.get(a)! - factors.get(b)!).slice(0, this.#policy.sampleAll);
    of.fastestAt = now;
    return of.fastest;
  }
}

/**
 * What waits for a slot of the agent, shared evenly with the others that can do it; as of the start of the cycle. Infinity
 * when several companies wait: what one gains by leaving an agent idle would be taken from the others.
 */
function pressureOn(state: AgentState, cycle: number): number {
  if (state.pressureCycle === cycle) return state.pressure;
  state.pressureCycle = cycle;
  state.pressure = 0;
  let only: Account | null = null;
  for (const of of state.fits.keys()) {
    if (of.size === 0) continue;
    only ??= of.lines[0].account;
    if (of.lines.length > 1 || of.lines[0].account !== only) return (state.pressure = Infinity);
    state.pressure += of.size / of.slots;
  }
  return state.pressure;
}

/** Another ticket begins on the agent in this cycle. */
export function occupy(state: AgentState, cycle: number, until: number): void {
  if (state.slotsCycle !== cycle) return;
  state.slots.push(until);
  state.slots.sort((a, b) => a - b);
}

/** The slot that is free first is taken until then. */
function reserve({ slots }: AgentState, until: number): void {
  let at = 0;
  for (; at + 1 < slots.length && slots[at + 1] < until; at++) slots[at] = slots[at + 1];
  slots[at] = until;
}

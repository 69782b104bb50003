import type { ReadyTicket } from '../../src/execution/scheduling/ready-ticket.ts';
import { typeOf } from '../../src/execution/scheduling/outcome.ts';
import type { Assignment } from '../../src/execution/scheduling/scheduling-cycle.ts';
import type { SchedulerAgent } from '../../src/execution/scheduling/scheduler-agent.ts';
import type { Dispatcher } from '../../src/execution/scheduling/simulation/scenario.ts';

export type PullOptions = {
  /** Order of the queue; null = as they came. */
  rank: ((ticket: ReadyTicket) => number) | null;
  /** Which free agent takes the next ticket; hold = the one, free or not, that ends it first. */
  place: 'any' | 'fastest' | 'hold';
  factor: (type: string, agent: string) => number;
  /** Expected ms on an agent of ordinary speed; only for hold. */
  base: (ticket: ReadyTicket) => number;
};

type Waiting = { ticket: ReadyTicket; rank: number; order: number };
type Known = { agent: SchedulerAgent; ends: Map<string, { from: number; ms: number }> };

/** A baseline for one company: late binding from one list, agents with one slot. */
export class PullDispatcher implements Dispatcher {
  readonly #options: PullOptions;
  readonly #waiting: Waiting[] = [];
  readonly #agents = new Map<string, Known>();
  #order = 0;

  constructor(options: PullOptions) {
    this.#options = options;
  }

  add(ticket: ReadyTicket): void {
    const { rank } = this.#options;
    const one = { ticket, rank: rank === null ? 0 : rank(ticket), order: this.#order++ };
    let low = 0;
    for (let high = this.#waiting.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.#waiting[middle]!.rank < one.rank) high = middle;
      else low = middle + 1;
    }
    this.#waiting.splice(low, 0, one);
  }

  removePlan(plan: number): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--)
      if (this.#waiting[i]!.ticket.plan === plan) this.#waiting.splice(i, 1);
  }

  ended(plan: number, n: number, agent: string): void {
    this.#agents.get(agent)?.ends.delete(`${plan} ${n}`);
  }

  setAgent(agent: SchedulerAgent): void {
    this.#agents.set(agent.key, { agent, ends: new Map() });
  }

  removeAgent(key: string): void {
    this.#agents.delete(key);
  }

  schedule(_free: readonly SchedulerAgent[], now: number): Assignment[] {
    const assignments: Assignment[] = [];
    /** When it could begin something, by agent; what is held is reserved on it. */
    const from = new Map<string, number>();
    for (const [key, { agent, ends }] of this.#agents) {
      let at = now;
      for (const { from: began, ms } of ends.values()) at = Math.max(at, began + ms, now + 0.5 * (now - began - ms));
      from.set(key, agent.free > 0 ? now : at);
    }
    let left = [...this.#agents.values()].filter(({ agent }) => agent.free > 0).map(({ agent }) => agent);
    for (let i = 0; i < this.#waiting.length && left.length > 0; i++) {
      const { ticket } = this.#waiting[i]!;
      const key = this.#choose(ticket, left, from, now);
      if (key === null) continue;
      const { agent, ends } = this.#agents.get(key)!;
      const ms = this.#options.base(ticket) * this.#options.factor(typeOf(ticket.spec), key);
      if (left.includes(agent)) {
        assignments.push({ ticket, agent: key });
        ends.set(`${ticket.plan} ${ticket.n}`, { from: now, ms });
        this.#waiting.splice(i--, 1);
        left = left.filter((one) => one !== agent);
      }
      from.set(key, from.get(key)! + ms);
    }
    return assignments;
  }

  #choose(ticket: ReadyTicket, left: SchedulerAgent[], from: Map<string, number>, now: number): string | null {
    const type = typeOf(ticket.spec);
    const able = left.filter((agent) => agent.taskTypes.has(type));
    if (able.length === 0) return null;
    const { place, factor, base } = this.#options;
    if (place === 'any') return able[0]!.key;
    const among = place === 'fastest' ? able : [...this.#agents.values()].map(({ agent }) => agent);
    const work = base(ticket);
    let best: string | null = null;
    let least = Infinity;
    for (const agent of among) {
      if (!agent.taskTypes.has(type)) continue;
      const ends = (place === 'hold' ? from.get(agent.key)! - now : 0) + work * factor(type, agent.key);
      if (ends < least) [best, least] = [agent.key, ends];
    }
    return best;
  }
}

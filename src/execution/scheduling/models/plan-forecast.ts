import { companyShare, type CompanyLoad } from './company-share.ts';

/** A ticket of a plan that has not ended. All times in ms. */
export type OpenTicket = {
  n: number;
  /** Numbers of the tickets it waits for; those that are not among the open ones have ended. */
  deps: readonly number[];
  /** On the agents that it is likely to get. */
  expectedMs: number;
  /** Since the start of its attempt; null = it does not run. */
  elapsedMs: number | null;
};

/** The queue of a company. */
export type CompanyQueue = {
  /** Work of the company that goes before, ms at ordinary speed; of what runs only what is left. */
  aheadMs: number;
  weight: number;
  /** The other companies of the same agents. */
  others: readonly CompanyLoad[];
  /** Slots of ordinary speed that there are: capacity of the agents that can do the work; 0 = none. */
  slots: number;
};

/** Times in ms from now; Infinity = never, as nobody can do it. */
export type PlanForecast = {
  finishMs: number;
  /** What even an empty queue would take. */
  soonestMs: number;
  /** What it is made of: the company's work that goes before, what is left of the plan, its share of the slots. */
  parts: { aheadMs: number; ownMs: number; criticalPathMs: number; slots: number };
};

/** A ticket that runs longer than expected is taken to run for a tenth more. */
const OVERTIME = 0.1;
const MOST_ROUNDS = 40;
const PRECISION = 1.0001;

/** What is left of a ticket. */
export function leftMs({ expectedMs, elapsedMs }: Pick<OpenTicket, 'expectedMs' | 'elapsedMs'>): number {
  if (elapsedMs === null) return expectedMs;
  return Math.max(expectedMs - elapsedMs, OVERTIME * Math.max(expectedMs, elapsedMs));
}

/**
 * When the plan ends: a fluid model of the company's queue, by Graham's bound. The critical path runs at its own pace; all
 * other work, the company's that goes before and the plan's own, flows through the slots that the company gets until then.
 * O(tickets + dependencies + companies).
 */
export function forecastPlan(tickets: readonly OpenTicket[], queue: CompanyQueue): PlanForecast {
  const heads = headsOf(tickets);
  let ownMs = 0;
  let criticalPathMs = 0;
  for (const ticket of tickets) {
    const left = leftMs(ticket);
    ownMs += left;
    criticalPathMs = Math.max(criticalPathMs, heads.get(ticket.n)! + left);
  }
  const { aheadMs } = queue;
  if (queue.slots <= 0 && tickets.some(({ elapsedMs }) => elapsedMs === null)) {
    return { finishMs: Infinity, soonestMs: Infinity, parts: { aheadMs, ownMs, criticalPathMs, slots: 0 } };
  }
  const flow = flowMs(queue, aheadMs + ownMs - criticalPathMs, criticalPathMs);
  const soonestMs = Math.max(criticalPathMs, queue.slots > 0 ? ownMs / queue.slots : 0);
  return { finishMs: flow.ms, soonestMs, parts: { aheadMs, ownMs, criticalPathMs, slots: flow.slots } };
}

/**
 * When each ticket of the plan that does not run starts, ms from now, by number: behind the company's work that goes before,
 * behind its own dependencies, and among the plan's tickets in the order of the paths before them.
 */
export function forecastStarts(tickets: readonly OpenTicket[], queue: CompanyQueue): Map<number, number> {
  const heads = headsOf(tickets);
  const starts = new Map<number, number>();
  let before = 0;
  let slots = 0;
  let known = -1;
  let latest = 0;
  for (const ticket of [...tickets].sort((a, b) => heads.get(a.n)! - heads.get(b.n)!)) {
    const head = heads.get(ticket.n)!;
    const waiting = queue.aheadMs + Math.max(0, before - head);
    // The share changes slowly with the time: it is found again when the work before has grown by a tenth.
    if (known < 0 || waiting + head > 1.1 * known) {
      ({ slots } = flowMs(queue, waiting, head));
      known = waiting + head;
    }
    latest = Math.max(latest, waiting > 0 ? waiting / slots + head : head);
    if (ticket.elapsedMs === null) starts.set(ticket.n, latest);
    before += leftMs(ticket);
  }
  return starts;
}

/** When one ticket starts that waits for nothing but its turn and an agent, of which the first is free in `freeInMs`; ms from now. */
export const forecastStart = (queue: CompanyQueue, freeInMs: number): number =>
  Math.max(freeInMs, flowMs(queue, queue.aheadMs, 0).ms);

/**
 * `waitingMs` of work through the company's share, besides a path that takes `pathMs` on its own. The longer it takes the more
 * the company gets, as the others run dry: the time is where both agree, found by bisection.
 */
function flowMs(queue: CompanyQueue, waitingMs: number, pathMs: number): { ms: number; slots: number } {
  const shareUntil = (ms: number): number => companyShare(queue.weight, queue.others, queue.slots, ms);
  if (waitingMs <= 0) return { ms: pathMs, slots: shareUntil(pathMs) };
  if (queue.slots <= 0) return { ms: Infinity, slots: 0 };
  let low = pathMs + waitingMs / queue.slots;
  let high = pathMs + waitingMs / shareUntil(low);
  for (let round = 0; round < MOST_ROUNDS && high > low * PRECISION; round++) {
    const middle = (low + high) / 2;
    if (pathMs + waitingMs / shareUntil(middle) > middle) low = middle;
    else high = middle;
  }
  return { ms: high, slots: shareUntil(high) };
}

/** For each open ticket the longest path of what is left before it. */
function headsOf(tickets: readonly OpenTicket[]): Map<number, number> {
  const heads = new Map<number, number>();
  const open = new Map(tickets.map((ticket) => [ticket.n, ticket]));
  for (const ticket of tickets) {
    // Depth first with a stack of our own: a plan may be a chain of thousands.
    const stack = [ticket];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      if (heads.has(top.n)) {
        stack.pop();
        continue;
      }
      let head = 0;
      let ready = true;
      for (const dep of top.deps) {
        const other = open.get(dep);
        if (other === undefined) continue;
        const before = heads.get(dep);
        if (before === undefined) {
          stack.push(other);
          ready = false;
        } else head = Math.max(head, before + leftMs(other));
      }
      if (!ready) continue;
      heads.set(top.n, head);
      stack.pop();
    }
  }
  return heads;
}

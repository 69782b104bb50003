import { compareKeys, entryBefore } from './entry-order.ts';
import type { CapHit } from './caps.ts';
import type { Estimates } from './estimates.ts';
import { FILTER_PLUGINS, type FilterMoment, type FilterName, type FilterPlugin } from './filter-plugins.ts';
import type { Fleet } from './fleet.ts';
import type { Placement } from './placement.ts';
import type { Policy } from './policy.ts';
import type { Mode } from './models/burn-mode.ts';
import type { AgentState, Entry, TicketClass } from './scheduler-state.ts';

/** Why a ticket waits, and when it will run. Times in ms unless said. */
export type Why = {
  class: string;
  /** 1 = next. Of its class: counted; of all that waits: reckoned from the place in its class. */
  position: { inClass: number; /** Tickets of the class. */ of: number; overall: number };
  /** Since when it can run, epoch ms. */
  since: number;
  ahead: {
    tickets: number;
    byCompany: Record<string, number>;
    /** Expected running time of it, and of what is its own company's. */
    workMs: number;
    ownMs: number;
  };
  agents: number;
  /** Slots × speed of the open agents of its class. */
  capacity: number;
  /** How many agents each filter removes, in the order of the policy; what is removed once is not counted again. */
  filters: { filter: FilterName; what: string; removed: number }[];
  /** Agents that nothing keeps from it but that they are busy or do not ask, and those that are free: the best first. */
  candidates: { agent: string; costMs: number; parts: Record<string, number>; busyUntil: number | null }[];
  caps: CapHit[];
  /** The agent it waits for although others are free; null = it is not held. */
  heldFor: { agent: string; until: number } | null;
  /** It cannot meet its deadline any more, and stands behind those that can. */
  doomed: boolean;
  company: { lagMs: number; allowedMs: number; eligible: boolean; running: number; waiting: number; mode: Mode };
  /** When the first agent that may have it is free, epoch ms; null = there is none. */
  freeAt: number | null;
};

export type WhyInputs = {
  entry: Entry;
  fleet: Fleet;
  placement: Placement;
  policy: Policy;
  estimates: Estimates;
  moment: FilterMoment;
  /** All that waits. */
  waiting: number;
  lagMs: number;
  leastMs: number;
  caps: CapHit[];
};

const MOST_CANDIDATES = 5;

/** Work that one class of tickets waits for, and who can do it. */
export type ClassBacklog = {
  class: string;
  /** Under which its durations and trails are learned. */
  type: string;
  capabilities: readonly string[];
  tickets: number;
  /** Expected duration of what waits on an agent of ordinary speed, ms. */
  backlogMs: number;
  /** Slots × speed of the open agents. Agents of several classes count in each. */
  capacity: number;
  agents: number;
};

export function backlogOf(of: TicketClass, estimates: Estimates, now: number): ClassBacklog {
  const open = [of.shared, ...of.bound.values()].flat().filter(({ agent }) => agent.open);
  const { key, type, capabilities, size, backlogMs } = of;
  const capacity = capacityOf(open, type, estimates, now);
  return { class: key, type, capabilities, tickets: size, backlogMs, capacity, agents: open.length };
}

/** Slots × speed of the open ones, with what waits for them alone: burst agents, of last resort and people are extra. */
export function capacityOf(states: readonly AgentState[], type: string, estimates: Estimates, now: number): number {
  let capacity = 0;
  for (const { agent, burst, lastResort } of states) {
    if (!agent.open || burst || lastResort) continue;
    capacity += agent.concurrency / slownessOf(estimates, type, agent.key, now);
  }
  return capacity;
}

/** The factor of the agent, not so small that one agent would count as thousands. */
export const slownessOf = (estimates: Estimates, type: string, agent: string, now: number): number =>
  Math.max(1e-3, estimates.factor(type, agent, now));

/** O(tickets of the class + agents): computed when a person asks, kept nowhere. */
export function whyOf(inputs: WhyInputs): Why {
  const { entry, fleet, placement, policy, estimates, moment, waiting, lagMs } = inputs;
  const { line, ticket } = entry;
  const { class: of, account } = line;
  const { now } = moment;
  const lagSeconds = policy.lagSeconds + (account.mode === 'tight' ? policy.tightLagSeconds : 0);
  const allowedMs = policy.companies === 'lag' ? 1_000 * lagSeconds : 0;
  const eligible = policy.companies === 'none' || lagMs - inputs.leastMs <= allowedMs;
  const ahead = aheadOf(entry);
  const inClass = ahead.tickets + 1;
  const { removed, left } = filterAgents(inputs);
  const candidates = left.map((state) => ({
    agent: state.agent.key,
    costMs: placement.costMs(entry, state, now, false),
    busyUntil: state.runs.size < state.agent.concurrency ? null : state.runs.peek()!.end,
  }));
  candidates.sort((a, b) => (a.busyUntil ?? now) - (b.busyUntil ?? now) + a.costMs - b.costMs);
  return {
    class: of.key,
    since: ticket.readyAt,
    position: { inClass, of: of.size, overall: Math.max(inClass, Math.round((inClass / of.size) * waiting)) },
    ahead,
    agents: [...fleet.agents()].length,
    capacity: backlogOf(of, estimates, now).capacity,
    filters: removed,
    candidates: candidates
      .slice(0, MOST_CANDIDATES)
      .map((one) => ({ ...one, parts: placement.partsMs(entry, fleet.get(one.agent)!, now) })),
    caps: inputs.caps,
    heldFor: entry.heldFor !== null && now < entry.holdUntil ? { agent: entry.heldFor, until: entry.holdUntil } : null,
    doomed: now + entry.base > ticket.deadline,
    company: {
      lagMs,
      allowedMs,
      eligible,
      running: account.running,
      waiting: account.lines.reduce((sum, each) => sum + each.entries.size, 0),
      mode: account.mode,
    },
    freeAt:
      candidates.length === 0 ? null : Math.max(now, Math.min(...candidates.map(({ busyUntil }) => busyUntil ?? now))),
  };
}

/** Of its own company what stands before it, of the others what stands before it by the same keys. */
function aheadOf(entry: Entry): Why['ahead'] {
  const { line } = entry;
  const byCompany: Record<string, number> = {};
  let tickets = 0;
  let workMs = 0;
  let ownMs = 0;
  for (const other of line.class.lines) {
    let count = 0;
    const sameOrder = line.account.mode === other.account.mode;
    for (const each of other.entries.items()) {
      const before =
        other === line || sameOrder ? entryBefore(each, entry) : compareKeys(other.standing, line.standing) < 0;
      if (!before) continue;
      count++;
      workMs += each.base;
      if (other === line) ownMs += each.base;
    }
    if (count > 0) byCompany[other.account.instance] = count;
    tickets += count;
  }
  return { tickets, byCompany, workMs, ownMs };
}

function filterAgents({ entry, fleet, policy, moment }: WhyInputs): { removed: Why['filters']; left: AgentState[] } {
  const { ticket, line } = entry;
  let left = [...fleet.agents()];
  const removed: Why['filters'] = [];
  for (const name of policy.filters) {
    const plugin: FilterPlugin = FILTER_PLUGINS[name];
    const kept = left.filter(
      (state) =>
        (plugin.fits?.(line.class, state.agent) ?? true) &&
        // Busy agents stay: the ticket waits for one of them.
        (name === 'concurrency' || (plugin.allows?.(ticket, line.class, state, moment) ?? true)),
    );
    removed.push({ filter: name, what: plugin.what, removed: left.length - kept.length });
    left = kept;
  }
  return { removed, left };
}

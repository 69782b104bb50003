import { standingScore, urgency, URGENCY_STEPS } from '../plans/priority-score.ts';
import { isBestEffort } from './contingency/degradation.ts';
import type { ReadyTicket } from './ready-ticket.ts';

/** What an order plugin may look at beside the ticket. */
export type OrderMoment = {
  now: number;
  /** Expected duration on an ordinary agent, ms. */
  base: number;
};

/**
 * One key of the order of waiting tickets; the policy lists the keys, the first that differs decides, first come ends
 * ties. To add one, add it to ORDER_PLUGINS here; its name can then stand in a policy.
 */
export type OrderPlugin = {
  what: string;
  /** Lower goes first. Asked when a ticket comes, and again when `changesAt` has passed. */
  key(ticket: ReadyTicket, moment: OrderMoment): number;
  /** When the key is next another one, epoch ms, after `now`; absent or Infinity = never. */
  changesAt?(ticket: ReadyTicket, moment: OrderMoment): number;
};

/** A deadline further away than this counts as this far, so that work without haste is not passed for ever. */
const HORIZON_MS = 24 * 3_600_000;

const doomedFrom = (latestStart: (ticket: ReadyTicket, base: number) => number, what: string): OrderPlugin => ({
  what,
  key: (ticket, { now, base }) => (now > latestStart(ticket, base) ? 1 : 0),
  changesAt: (ticket, { now, base }) => {
    const latest = latestStart(ticket, base);
    return now > latest ? Infinity : latest + 1;
  },
});

export const ORDER_PLUGINS = {
  'doomed-last': doomedFrom(
    (ticket, base) => ticket.deadline - base,
    'Tickets that cannot end before their deadline any more stand behind those that can.',
  ),
  'doomed-plans-last': doomedFrom(
    (ticket, base) => ticket.planDeadline - Math.max(base, ticket.rank),
    'Tickets of plans that cannot end before their deadline any more stand behind those of plans that can.',
  ),
  deadline: {
    what: 'Earliest deadline first.',
    key: (ticket) => Math.min(ticket.deadline, ticket.readyAt + HORIZON_MS),
  },
  due: {
    what: 'Earliest deadline first of those that can still be met: its own, after that the one of its plan.',
    key: (ticket, { now, base }) =>
      Math.min(now > ticket.deadline - base ? ticket.planDeadline : ticket.deadline, ticket.readyAt + HORIZON_MS),
    changesAt: ({ deadline }, { now, base }) => (now > deadline - base ? Infinity : deadline - base + 1),
  },
  'latest-start': {
    what: 'Earliest deadline of the plan less the rest of it first (least slack).',
    key: (ticket, { base }) => Math.min(ticket.planDeadline - Math.max(base, ticket.rank), ticket.readyAt + HORIZON_MS),
  },
  'best-effort-last': {
    what: 'Tickets of low priority and low risk wait for all others.',
    key: ({ spec }) => Number(isBestEffort(spec)),
  },
  rank: { what: 'Longest way to the end of the plan first.', key: (ticket) => -ticket.rank },
  longest: { what: 'Longest expected duration first.', key: (_ticket, { base }) => -base },
  shortest: { what: 'Shortest expected duration first.', key: (_ticket, { base }) => base },
  'first-come': { what: 'Since when it can run.', key: (ticket) => ticket.readyAt },
  score: {
    what: 'Reference score: 0.4 × risk + 0.3 × QoS + 0.3 × urgency.',
    key: (ticket, { now }) => -(standingScore(ticket.spec) + 0.3 * urgency(ticket.createdAt, ticket.deadline, now)),
    changesAt: ({ createdAt, deadline }, { now }) => {
      for (const step of URGENCY_STEPS) {
        const at = createdAt + step * (deadline - createdAt);
        if (at > now) return at;
      }
      return Infinity;
    },
  },
} as const satisfies Record<string, OrderPlugin>;
export type OrderName = keyof typeof ORDER_PLUGINS;

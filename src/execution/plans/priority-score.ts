import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';

const RISK = { critical: 1, high: 0.7, medium: 0.5, low: 0.3 };
const DELIVERY = { EXACTLY_ONCE: 1, AT_LEAST_ONCE: 0.7, AT_MOST_ONCE: 0.5 };
const CONSISTENCY = { STRONG: 1, EVENTUAL: 0.85 };
const DURABILITY = { PERSISTENT: 1, TRANSIENT: 0.9 };

/** Shares of the deadline at which a ticket becomes more urgent. */
export const URGENCY_STEPS = [0.5, 0.8];

/** The part of the score that time does not change, in [0, 0.7]. */
export function standingScore(ticket: Pick<ExecutionTicket, 'risk_band' | 'qos'>): number {
  const { delivery_mode, consistency, durability } = ticket.qos;
  return (
    0.4 * RISK[ticket.risk_band] + 0.3 * DELIVERY[delivery_mode] * CONSISTENCY[consistency] * DURABILITY[durability]
  );
}

/** Urgency by the share of the time to its deadline that is spent. */
export function urgency(createdAt: number, deadline: number, now: number): number {
  const spent = deadline <= createdAt ? 1 : (now - createdAt) / (deadline - createdAt);
  if (spent < URGENCY_STEPS[0]) return 0.3;
  return spent < URGENCY_STEPS[1] ? 0.7 : 1;
}

/** Reference priority in [0, 1]: 0.4 × risk + 0.3 × QoS + 0.3 × urgency. Source: contracts.md, ticket rules. */
export function priorityScore(
  ticket: Pick<ExecutionTicket, 'risk_band' | 'qos'>,
  createdAt: number,
  deadline: number,
  now: number,
): number {
  return standingScore(ticket) + 0.3 * urgency(createdAt, deadline, now);
}

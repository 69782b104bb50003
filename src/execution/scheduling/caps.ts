import type { Fleet } from './fleet.ts';
import type { Caps } from './policy.ts';
import type { Account, AgentState, TicketClass } from './scheduler-state.ts';

// Caps count what runs, not what is given: what has ended makes room, however long ago it was given.

export const underGlobalCap = ({ running }: Caps, fleet: Fleet): boolean => running === null || fleet.running < running;

export const isCapped = ({ perCompany }: Caps, { running }: Account): boolean =>
  perCompany !== null && running >= perCompany;

const isLabelCapped = ({ perLabel }: Caps, fleet: Fleet, label: string): boolean =>
  (fleet.labelRunning.get(label) ?? 0) >= perLabel[label];

export function underLabelCaps(caps: Caps, fleet: Fleet, { capped }: AgentState): boolean {
  for (const label of capped) if (isLabelCapped(caps, fleet, label)) return false;
  return true;
}

/** A cap that is reached: `running`, `company`, or a label as `provider=openai`. */
export type CapHit = { name: string; limit: number; running: number };

/** The caps that keep tickets of the company in the class from agents now. */
export function capsHit(caps: Caps, fleet: Fleet, account: Account, of: TicketClass): CapHit[] {
  const hit: CapHit[] = [];
  if (!underGlobalCap(caps, fleet)) hit.push({ name: 'running', limit: caps.running!, running: fleet.running });
  if (isCapped(caps, account)) hit.push({ name: 'company', limit: caps.perCompany!, running: account.running });
  for (const label of new Set(of.shared.flatMap(({ capped }) => capped))) {
    const running = fleet.labelRunning.get(label) ?? 0;
    if (isLabelCapped(caps, fleet, label)) hit.push({ name: label, limit: caps.perLabel[label], running });
  }
  return hit;
}

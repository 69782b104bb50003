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

/** The caps that keep tickets of the company in the class from agents now, as in `perLabel provider=openai 10`. */
export function capsHit(caps: Caps, fleet: Fleet, account: Account, of: TicketClass): string[] {
  const hit: string[] = [];
  if (!underGlobalCap(caps, fleet)) hit.push(`running ${caps.running}`);
  if (isCapped(caps, account)) hit.push(`perCompany ${caps.perCompany}`);
  for (const label of new Set(of.shared.flatMap(({ capped }) => capped)))
    if (isLabelCapped(caps, fleet, label)) hit.push(`perLabel ${label} ${caps.perLabel[label]}`);
  return hit;
}

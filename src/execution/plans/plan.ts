/** Prefix of a plan's workflow id. Source: contracts.md, REST. */
const PREFIX = 'orchestration-';

export const workflowIdOf = (planId: string): string => PREFIX + planId;
/** null when it is no workflow id of ours. */
export const planIdOf = (workflowId: string): string | null =>
  workflowId.startsWith(PREFIX) && workflowId.length > PREFIX.length ? workflowId.slice(PREFIX.length) : null;

/** Key of a plan: the company's number in the high bits, the plan's number within it in the low 32. Safe as a number. */
export const planKey = (instanceNo: number, number: number): number => instanceNo * 2 ** 32 + number;
export const instanceNoOf = (key: number): number => Math.floor(key / 2 ** 32);

/** Ids of tickets and leases say where they belong, so that no index is needed to find them. */
export const ticketIdOf = (key: number, n: number): string => `${key.toString(36)}-${n}`;
export const leaseIdOf = (key: number, n: number, fence: number): string => `${key.toString(36)}-${n}-${fence}`;

/** null when it is no ticket id of ours. */
export function parseTicketId(id: string): { key: number; n: number } | null {
  const match = /^([0-9a-z]{1,11})-(\d{1,6})$/.exec(id);
  if (match === null) return null;
  const key = parseInt(match[1], 36);
  return Number.isSafeInteger(key) ? { key, n: Number(match[2]) } : null;
}

/** null when it is no lease id of ours. */
export function parseLeaseId(id: string): { key: number; n: number; fence: number } | null {
  const cut = id.lastIndexOf('-');
  const fence = /^\d{1,9}$/.test(id.slice(cut + 1)) ? Number(id.slice(cut + 1)) : 0;
  const ticket = parseTicketId(id.slice(0, Math.max(cut, 0)));
  return ticket === null || fence === 0 ? null : { ...ticket, fence };
}

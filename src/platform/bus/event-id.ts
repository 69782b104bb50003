/**
 * The place of an event for a reader that comes back: everything before `at` (epoch ms), in every company, was handed
 * over; and of `instance` everything up to event `index` (from 0) of row `seq`.
 */
export type EventPlace = { at: number; instance: string; seq: number; index: number };

export const eventIdOf = ({ at, instance, seq, index }: EventPlace): string => `${at}:${instance}:${seq}.${index}`;

/** null when it is no event id of ours. */
export function parseEventId(id: string): EventPlace | null {
  const match = /^(\d{1,15}):([^:\s]{1,100}):(\d{1,15})\.(\d{1,9})$/.exec(id);
  if (match === null) return null;
  return { at: Number(match[1]), instance: match[2], seq: Number(match[3]), index: Number(match[4]) };
}

import type { TicketSpec } from '../../plans/ticket.ts';
import type { SettingsOf, SettingTable } from '../setting.ts';

export const SPECULATION_SETTINGS = {
  copies_max_share: { default: 0.05, min: 0, max: 1, what: 'Share of all running attempts that may be copies' },
  copies_min_ms: {
    default: 2_000,
    min: 0,
    max: 86_400_000,
    what: 'An attempt runs at least this long before a copy, ms',
  },
} as const satisfies SettingTable;
export type SpeculationSettings = SettingsOf<typeof SPECULATION_SETTINGS>;

/** Types that only read or compute: a second run changes nothing. The others have to say so. */
const IDEMPOTENT_TYPES: ReadonlySet<TicketSpec['task_type']> = new Set(['QUERY', 'VALIDATE', 'TEST', 'TRANSFORM']);

/**
 * Whether two attempts of the ticket may run at once. Only with delivery AT_LEAST_ONCE (EXACTLY_ONCE never), never one that
 * is destructive or undoes another. Of these: metadata `idempotent` "true" or "false" decides, else the task type.
 */
export function mayRunTwice(spec: Pick<TicketSpec, 'qos' | 'gated' | 'undoes' | 'metadata' | 'task_type'>): boolean {
  if (spec.qos.delivery_mode !== 'AT_LEAST_ONCE' || spec.gated || spec.undoes !== null) return false;
  const said = spec.metadata.idempotent;
  return said === 'true' || (said !== 'false' && IDEMPOTENT_TYPES.has(spec.task_type));
}

export type SpeculationCase = {
  spec: Parameters<typeof mayRunTwice>[0];
  /** How long the attempt has run. */
  elapsedMs: number;
  /** Bound that its duration keeps with probability 0.95 (conformal). */
  upperP95Ms: number;
  /** Attempts of this ticket that run, with the first. */
  attempts: number;
  /** Of all tickets: attempts that run, and how many of these are copies. */
  running: number;
  copies: number;
};

/** Whether a ticket that takes too long gets a second attempt elsewhere: one copy at most, and few at a time. */
export function shouldCopy(
  { spec, elapsedMs, upperP95Ms, attempts, running, copies }: SpeculationCase,
  settings: SpeculationSettings,
): boolean {
  if (attempts !== 1 || !(elapsedMs > Math.max(upperP95Ms, settings.copies_min_ms))) return false;
  // A small fleet may have one copy, else the share would mean none.
  const most = settings.copies_max_share === 0 ? 0 : Math.max(1, Math.floor(settings.copies_max_share * running));
  return copies < most && mayRunTwice(spec);
}

import { InvalidArgumentError, Option } from 'commander';
import { nearestName } from '../../platform/contracts/nearest-name.ts';

export const PLAN_STATUSES = [
  'received',
  'validated',
  'ticketed',
  'running',
  'consolidating',
  'completed',
  'failed',
  'compensated',
  'cancelled',
  'waiting_approval',
  'rejected',
] as const;
export const TICKET_STATUSES = [
  'PENDING',
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'COMPENSATING',
  'COMPENSATED',
  'waiting',
  'approval',
  'ready',
  'backoff',
  'cancelled',
] as const;
export const TASK_TYPES = [
  'BUILD',
  'DEPLOY',
  'TEST',
  'VALIDATE',
  'EXECUTE',
  'COMPENSATE',
  'QUERY',
  'TRANSFORM',
] as const;
export const KEY_KINDS = ['operator', 'company', 'agent'] as const;

/** An option with a closed list of values; a near miss is answered with what was meant. */
export function choice(flags: string, description: string, allowed: readonly string[]): Option {
  return new Option(flags, `${description} (${allowed.join(', ')})`).argParser((value: string) => {
    const exact =
      allowed.find((one) => one === value) ?? allowed.find((one) => one.toLowerCase() === value.toLowerCase());
    if (exact !== undefined) return exact;
    const near = nearestName(value, allowed);
    throw new InvalidArgumentError(`${near === null ? '' : `Did you mean ${near}? `}Allowed: ${allowed.join(', ')}.`);
  });
}

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number) {
  return (value: string): number => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most))
      throw new InvalidArgumentError(`Must be a whole number from ${least} to ${most}.`);
    return number;
  };
}

/** A number within bounds. */
export function number(least: number, most: number) {
  return (value: string): number => {
    const given = value.trim() === '' ? Number.NaN : Number(value);
    if (!(given >= least && given <= most))
      throw new InvalidArgumentError(`Must be a number from ${least} to ${most}.`);
    return given;
  };
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A length of time within bounds (ms), as in `30s`, `10m`, `2h`. Returns ms. */
export function duration(least: number, most: number) {
  return (value: string): number => {
    const [, digits, unit] = /^(\d+)(s|m|h|d)$/.exec(value) ?? [];
    const ms = Number(digits) * UNITS[unit as keyof typeof UNITS];
    if (!(ms >= least && ms <= most))
      throw new InvalidArgumentError(
        `Must be a time as in 30s, 10m, 2h, from ${least / 1_000} s to ${most / 1_000} s.`,
      );
    return ms;
  };
}

/** A moment: ISO 8601, epoch milliseconds, or how long ago, as in `15m`, `2h`, `3d`. Returns epoch ms. */
export function moment(value: string): number {
  const ago = /^(\d+)(s|m|h|d)$/.exec(value);
  if (ago !== null) return Date.now() - Number(ago[1]) * UNITS[ago[2] as keyof typeof UNITS];
  const at = /^\d{11,}$/.test(value) ? Number(value) : Date.parse(value);
  if (Number.isNaN(at))
    throw new InvalidArgumentError('Must be a time as in 2026-11-21T10:00:00Z, or how long ago as in 15m, 2h, 3d.');
  return at;
}

import { ColmeiaError } from '../../../platform/errors.ts';

/** The database of one company is away, for a reason that completes "… is not available: ". */
export function companyUnavailable(whose: string, reason: string, cause?: unknown): ColmeiaError {
  const message = `The database of ${whose} is not available: ${reason}.`;
  return new ColmeiaError('STORE_UNAVAILABLE', message, { retryAfterMs: 1_000, cause });
}

export function companyFull(whose: string, cause?: unknown): ColmeiaError {
  const message = `The database of ${whose} is not available: its disk is full.`;
  return new ColmeiaError('STORE_FULL', message, { retryAfterMs: 5_000, cause });
}

import { isColmeiaError } from '../../platform/errors.ts';

/** True when the call may have done something all the same. */
export function isUncertain(error: unknown): boolean {
  return isColmeiaError(error, 'OUTSIDE_TIMEOUT') || isColmeiaError(error, 'OUTSIDE_UNAVAILABLE');
}

import { isColmeiaError } from '../../platform/errors.ts';

/** True when the call may have done something all the same. */
export function isUncertain(error: unknown): boolean {
  return isColmeiaError(error, 'OUTSIDE_TIMEOUT') || isColmeiaError(error, 'OUTSIDE_UNAVAILABLE');
}

/** Why the site would not do this one thing; null = the error is about more than it, as credentials are. */
export function refusalOf(error: unknown): string | null {
  if (!isColmeiaError(error, 'OUTSIDE_REFUSED') || /: answered 401/.test(error.message)) return null;
  // Without the path, which names the item.
  return error.message.replace(/^.*?: answered/, 'answered');
}

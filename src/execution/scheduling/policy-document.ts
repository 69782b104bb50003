import type { Policy } from './policy.ts';
import { documentName } from './setting.ts';

/** A policy as `parsePolicy` reads it and people see it, with every default. */
export function policyDocument({ caps, ...rest }: Policy): Record<string, unknown> {
  return { ...named(rest), caps: named(caps) };
}

const named = (fields: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [documentName(name), value]));

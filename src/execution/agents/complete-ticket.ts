import { ColmeiaError } from '../../platform/errors.ts';
import { actorOf, type Principal } from '../../trust/identity/principal.ts';
import type { Context } from '../context.ts';
import type { LeaseRef } from '../flow/company-writer.ts';
import { readUsage } from './token-usage.ts';

/** Characters of an attempt's result as JSON. */
const RESULT_LIMIT = 1_000_000;

/** The attempt that holds the fencing token is done; answers what of its usage could not be counted. Throws LEASE_FENCED, TOO_LARGE. */
export async function completeTicket(
  { writers }: Context,
  who: Principal,
  lease: LeaseRef,
  output: Record<string, unknown>,
  metadata: Record<string, unknown> = {},
  logs: readonly string[] = [],
): Promise<string[]> {
  const result = JSON.stringify({ output: texts(output), metadata: texts(metadata) });
  if (result.length > RESULT_LIMIT)
    throw new ColmeiaError(
      'TOO_LARGE',
      `the result has ${result.length} characters; at most ${RESULT_LIMIT} are allowed`,
    );
  const { usage, warnings } = readUsage(metadata);
  const used = usage === null ? {} : { usage };
  await writers.at(lease.instance, (writer) =>
    writer.complete({ ...lease, result, logs: [...logs], ...used, who: { by: actorOf(who) } }),
  );
  return warnings;
}

/** The contract's maps hold texts; other values go in as their JSON. */
function texts(map: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

import type { FlowBatch } from './flow-batch.ts';
import type { FlowEngineOptions } from './flow-engine-options.ts';
import { findKnown } from './flow-store.ts';
import { remember } from './owned-company.ts';
import type { OwnedPlans } from './owned-plans.ts';
import type { UntoldLeases } from './untold-leases.ts';

/** What a refusal is judged by, and what has to change with it. */
export type RefusedIn = Pick<FlowEngineOptions, 'store' | 'registry' | 'log'> & {
  owned: OwnedPlans;
  /** Companies that are to be loaded again. */
  stale: Set<string>;
  untold: UntoldLeases;
};

/**
 * What becomes of the changes of a flush that failed, and of those that were built on it. A plan id that exists is a decision
 * sent again that memory did not know: it is looked up and the changes tried again. A refused guard is another writer: the
 * companies are loaded again, then the changes are tried again; a value that cannot be kept spoils only its own change. After
 * anything else the callers are told, and as the commit may have come true all the same, the companies are loaded again.
 */
export async function judgeRefusal(
  error: unknown,
  failed: FlowBatch,
  built: FlowBatch | null,
  { store, registry, log, owned, stale, untold }: RefusedIn,
  now: number,
): Promise<'again' | 'apart' | 'no'> {
  for (const batch of [failed, built]) {
    for (const key of batch?.drafts.keys() ?? []) {
      const plan = owned.plans.get(key);
      if (plan) owned.ripen(plan, now);
    }
    for (const lease of batch?.expired ?? []) registry.expireNow(lease);
  }
  const { code, constraint } = error as { code?: string; constraint?: string };
  if (code === '23505' && constraint === 'plan_id') {
    for (const [ref, known] of await findKnown(store, failed.submits)) {
      const company = owned.companies.get(ref.instance);
      if (company) remember(company, ref.planId, known);
    }
    return 'again';
  }
  const instances = failed.rows.map((row) => row.instance);
  for (const instance of instances) stale.add(instance);
  log('warn', { err: error, instances }, 'a commit was refused; its companies are loaded again');
  if (code === '23505' || code === 'CM001') return 'again';
  if (code !== undefined && /^2[23]/.test(code)) return 'apart';
  untold.note(failed);
  return 'no';
}

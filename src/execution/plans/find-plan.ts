import type { PlanRef } from '../../colmeia.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { filterOf, mustDirect, scopeOf } from '../../trust/identity/may.ts';
import type { Principal } from '../../trust/identity/principal.ts';
import type { Context } from '../context.ts';
import { findPlansById, type KeptPlan } from './plan-store.ts';

/** The one plan a caller means; throws PLAN_NOT_FOUND, or PLAN_AMBIGUOUS when several companies have the id. */
export async function findPlan({ store }: Context, who: Principal, { planId, instance }: PlanRef): Promise<KeptPlan> {
  mustDirect(who);
  const notFound = (): ColmeiaError => new ColmeiaError('PLAN_NOT_FOUND', `plan "${planId}" not found`);
  if (planId.includes('\u0000')) throw notFound();
  const found = await findPlansById(store, scopeOf(who), planId, filterOf(who, instance));
  if (found.length === 0) throw notFound();
  if (found.length > 1) {
    const names = found.map((plan) => plan.instance).join(', ');
    throw new ColmeiaError(
      'PLAN_AMBIGUOUS',
      `several companies have a plan "${planId}" (${names} …); say which with instance`,
    );
  }
  return found[0];
}

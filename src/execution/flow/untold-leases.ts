import { attemptsOf } from './attempt.ts';
import { leaseChanges, type FlowBatch } from './flow-batch.ts';
import type { Attempt } from './flow-state.ts';
import type { LoadedCompany } from './flow-store.ts';

type Untold = { plan: number; n: number; attempt: Attempt };

/**
 * Leases of flushes whose answer did not come: should they have come true, no agent knows of them, and they need not run out
 * before somebody else may have the ticket.
 */
export class UntoldLeases {
  /** By company: those of its last such flush. */
  readonly #byCompany = new Map<string, Untold[]>();

  note(failed: FlowBatch): void {
    for (const { instance } of failed.rows) this.#byCompany.delete(instance);
    for (const draft of failed.drafts.values()) {
      const { key: plan, instance } = draft.plan;
      const untold = leaseChanges(draft).begun.map(({ n, attempt }) => ({ plan, n, attempt }));
      if (untold.length > 0) this.#byCompany.set(instance, [...(this.#byCompany.get(instance) ?? []), ...untold]);
    }
  }

  /** Those of a company that came true, by its plans as they are kept; from now on they are told. */
  take({ name, plans }: Pick<LoadedCompany, 'name' | 'plans'>): { plan: number; n: number; fence: number }[] {
    const untold = this.#byCompany.get(name) ?? [];
    this.#byCompany.delete(name);
    const byKey = new Map(plans.map((plan) => [plan.key, plan]));
    return untold.flatMap(({ plan, n, attempt }) => {
      const ticket = byKey.get(plan)?.state.tickets[n];
      const isKept = ticket !== undefined && attemptsOf(ticket).some((kept) => isSame(kept, attempt));
      return isKept ? [{ plan, n, fence: attempt.fence }] : [];
    });
  }
}

/** Another writer may have given the same token, but not to the same agent at the same moment. */
const isSame = (a: Attempt, b: Attempt): boolean =>
  a.fence === b.fence && a.agent === b.agent && a.startedAt === b.startedAt;

import type { Colmeia } from '../colmeia.ts';
import { LOCAL_OPERATOR, type Principal } from '../trust/identity/principal.ts';
import type { InstanceContext } from './instances/folder/instance-contexts.ts';
import type { InstanceStats, InstanceSummary, ValidationReport } from './instances/instance-views.ts';

/** The coordinator of the fleet, as code calls it. Names and order of arguments are fixed (contracts.md, Coordinator library). */
export type Coordinator = {
  /** All companies that the caller sees, by name, with health and figures. */
  listInstances(): Promise<InstanceSummary[]>;
  /** Settings and files of a company; secrets are only names. Throws INSTANCE_NOT_FOUND, INSTANCE_STATE where companies have no files. */
  loadInstanceContext(name: string): Promise<InstanceContext>;
  /** Every fault of a company at once. Throws INSTANCE_NOT_FOUND. */
  validateInstance(name: string): Promise<ValidationReport>;
  /** Throws INSTANCE_NOT_FOUND. */
  getInstanceStats(name: string): Promise<InstanceStats>;
};

/** The coordinator of an open Colmeia, for the caller `who`. Default: the operator of the process. */
export function coordinatorOf(colmeia: Colmeia, who: Principal = LOCAL_OPERATOR): Coordinator {
  const { instances } = colmeia;
  return {
    async listInstances() {
      const all: InstanceSummary[] = [];
      for (let after: string | undefined; ;) {
        const page = await instances.list(who, { limit: 100, ...(after === undefined ? {} : { after }) });
        all.push(...page.items);
        if (page.next === null) return all;
        after = page.next;
      }
    },
    loadInstanceContext: (name) => instances.context(who, name),
    validateInstance: (name) => instances.validate(who, name),
    getInstanceStats: (name) => instances.stats(who, name),
  };
}

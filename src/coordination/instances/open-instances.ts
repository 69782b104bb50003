import { ColmeiaError } from '../../platform/errors.ts';
import { mustHave, mustOperate, noInstance } from '../../trust/identity/may.ts';
import { actorOf, type Principal } from '../../trust/identity/principal.ts';
import { readFiles } from './company-files.ts';
import { instanceOperations } from './instance-operations.ts';
import type { CompanyDatabases } from './databases/company-databases.ts';
import type { CompanyAccounts, InstanceParts } from './instance-parts.ts';
import { findInstance, setHealth } from './instance-store.ts';
import type { Health, Instances, ValidationReport } from './instance-views.ts';
import { createInstance } from './life/create-instance.ts';
import { deleteInstance } from './life/delete-instance.ts';
import { initInstance } from './life/init-instance.ts';
import { renameInstance } from './life/rename-instance.ts';
import { Operations, type OperationsOptions } from './operations/operations.ts';
import { differencesOf, reconcile } from './reconcile-instances.ts';

export type InstancesOptions = Omit<InstanceParts, 'operations' | 'databases' | 'accounts'> &
  Pick<OperationsOptions, 'heartbeatMs' | 'silentMs'> & { owners: Instances['owners'] };

/** Until databases and accounts are wired. */
const noAccounts: CompanyAccounts = {
  jira: 'off',
  confluence: 'off',
  supabase: 'off',
  keys: { jira: '', confluence: '', named: { jira: false, confluence: false } },
};
const databases = new Proxy({} as CompanyDatabases, {
  get: () => async () => {
    throw new ColmeiaError('STORE_UNAVAILABLE', 'companies have no databases here yet');
  },
});
const COORDINATOR = { as: 'coordinator' } as const;

/** Everything about companies, wired by hand. `start` goes on with operations that a former process left. */
export function openInstances(options: InstancesOptions): {
  instances: Instances;
  start(): Promise<void>;
  stop(): Promise<void>;
} {
  const operations = new Operations(options);
  const parts: InstanceParts = { ...options, operations, databases, accounts: async () => noAccounts };
  const validate = (name: string): Promise<ValidationReport> => validateInstance(parts, name);
  operations.define('create', createInstance(parts));
  operations.define('init', initInstance({ ...parts, validate }));
  operations.define('rename', renameInstance(parts));
  operations.define('delete', deleteInstance({ ...parts, exportLast: null }));
  const instances: Instances = instanceOperations(parts, {
    owners: options.owners,
    async validate(who, name) {
      await instances.get(who, name);
      return validate(name);
    },
    async importFrom() {
      throw new ColmeiaError('OPERATION_STATE', 'nothing here can import');
    },
    async differences(who) {
      mustLook(who);
      return differencesOf(parts, null);
    },
    async reconcile(who, { name }) {
      mustLook(who);
      return reconcile(parts, name ?? null, actorOf(who));
    },
  });
  return { instances, start: () => operations.start(), stop: () => operations.stop() };
}

function mustLook(who: Principal): void {
  mustHave(who, 'administer');
  mustOperate(who);
}

async function validateInstance(parts: InstanceParts, name: string): Promise<ValidationReport> {
  const from = performance.now();
  const kept = await findInstance(parts.store, COORDINATOR, name);
  if (kept === null) throw noInstance(name);
  const faults = (await readFiles(parts, kept))?.faults ?? [];
  const is = (severity: string): boolean => faults.some((fault) => fault.severity === severity);
  const health: Health = is('error') ? 'unhealthy' : is('warning') ? 'degraded' : 'healthy';
  const at = new Date(parts.clock.now());
  const { text, values } = setHealth(kept.name, health, faults, at);
  await parts.store.write(COORDINATOR, (sql) => sql.query(text, values));
  const ms = performance.now() - from;
  const checks = [{ name: 'files', state: is('error') ? ('failed' as const) : ('ok' as const), detail: '', ms }];
  return { name: kept.name, health, faults, checks, validated_at: at.toISOString() };
}

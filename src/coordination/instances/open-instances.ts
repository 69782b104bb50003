import { publicFetch } from '../../connectors/outside/public-address.ts';
import type { Random } from '../../platform/clock.ts';
import type { Metrics } from '../../platform/observability/metrics.ts';
import type { Secret } from '../../platform/secret.ts';
import { mustHave, mustOperate } from '../../trust/identity/may.ts';
import { ownerOperations } from '../../trust/identity/owners.ts';
import { actorOf, FIRST_INSTANCE, type Principal } from '../../trust/identity/principal.ts';
import type { SecretStore } from '../../trust/secrets/secret-store.ts';
import { AuditOutsideCalls } from './audit-outside-calls.ts';
import { hasFiles, layOutFiles } from './company-files.ts';
import { cloneInstance } from './clone/clone-instance.ts';
import { openCompanyDatabases } from './databases/open-company-databases.ts';
import { instanceOperations } from './instance-operations.ts';
import type { InstanceParts } from './instance-parts.ts';
import { findInstance } from './instance-store.ts';
import type { Instances, ValidationReport } from './instance-views.ts';
import { createInstance } from './life/create-instance.ts';
import { deleteInstance } from './life/delete-instance.ts';
import { initInstance } from './life/init-instance.ts';
import { renameInstance } from './life/rename-instance.ts';
import { openHealth } from './open-health.ts';
import { Operations, type OperationsOptions } from './operations/operations.ts';
import { sweepWorkFolder } from './operations/sweep-work-folder.ts';
import { OutsideSites, type SharedAccounts } from './outside-sites.ts';
import { exportInstance, exportLast } from './portable/export-instance.ts';
import { importInstance } from './portable/import-instance.ts';
import { portableOperations } from './portable/portable-operations.ts';
import type { PortableParts } from './portable/portable-parts.ts';
import { differencesOf, reconcile } from './reconcile-instances.ts';

export type InstancesOptions = Pick<
  InstanceParts,
  'store' | 'clock' | 'log' | 'append' | 'directory' | 'flow' | 'instancesFolder'
> &
  Pick<OperationsOptions, 'heartbeatMs' | 'silentMs'> & {
    random: Random;
    metrics: Metrics;
    /** Colmeia's own database, beside which those of companies are made; null = embedded. */
    databaseUrl: Secret | null;
    /** Of the embedded databases; null = they end with the process. */
    dataFolder: string | null;
    /** Folder of pg_dump and pg_restore; null = where PATH finds them. */
    postgresBin: string | null;
    secrets: SecretStore;
    shared: SharedAccounts;
    /** For what lies on disk while an operation runs. */
    workFolder: string;
    /** Where exports lie; null = nowhere. */
    exportsFolder: string | null;
    /** Of Colmeia, for exports. */
    version: string;
    /** Companies whose health this process looks after. */
    owned: () => string[];
  };

/** Everything about companies, wired by hand. */
export async function openInstances(options: InstancesOptions): Promise<{
  instances: Instances;
  /** Goes on with operations that a former process left; once the companies of this process are known. */
  start(): Promise<void>;
  stop(): Promise<void>;
}> {
  const { store, clock, random, metrics, log, append, directory, secrets, databaseUrl, dataFolder } = options;
  const operations = new Operations(options);
  const audit = new AuditOutsideCalls({ append, log });
  const sites = new OutsideSites({
    clock,
    random,
    metrics,
    secrets,
    shared: options.shared,
    audit: (instance, call) => audit.add(instance, call),
  });
  const databases = await openCompanyDatabases({
    databaseUrl,
    dataFolder,
    postgresBin: options.postgresBin,
    privateAddresses: options.shared.privateAddresses === true,
    clock,
    secrets: {
      reveal: (instance, name) => secrets.reveal(instance, name),
      put: async (instance, name, value) => void (await secrets.put(instance, name, value, 'engine')),
    },
  });
  const parts: InstanceParts = {
    ...options,
    operations,
    databases,
    accounts: (kept, folder) => sites.accounts(kept, folder),
  };
  const health = openHealth(parts, {
    random,
    dataFolder,
    owned: options.owned,
    secretNames: (name) => secrets.names(name),
    fetch: options.shared.privateAddresses === true ? fetch : publicFetch,
  });
  const { workFolder, exportsFolder, version } = options;
  const validate = (name: string): Promise<ValidationReport> => health.validate(name);
  const portable: PortableParts = { ...parts, secrets, validate, workFolder, exportsFolder, version };
  operations.define('create', createInstance(parts));
  operations.define('init', initInstance({ ...parts, validate }));
  operations.define('clone', cloneInstance(portable));
  operations.define('rename', renameInstance(parts));
  operations.define('export', exportInstance(portable));
  operations.define('import', importInstance(portable));
  const last = portable.exportsFolder === null ? null : exportLast.bind(null, portable);
  operations.define('delete', deleteInstance({ ...parts, exportLast: last }));
  const instances: Instances = instanceOperations(parts, health, {
    owners: ownerOperations({ store, instances: directory, append }),
    async validate(who, name) {
      return health.validate((await instances.get(who, name)).name);
    },
    async context(who, name) {
      return health.context((await instances.get(who, name)).name);
    },
    ...portableOperations(portable),
    async differences(who) {
      mustLook(who);
      return differencesOf(parts, null);
    },
    async reconcile(who, { name }) {
      mustLook(who);
      return reconcile(parts, name ?? null, actorOf(who));
    },
  });
  return {
    instances,
    async start() {
      await layOutFirst(parts);
      await sweepWorkFolder(store, workFolder).catch((error: unknown) =>
        log('warn', { err: error }, 'folders of operations were not swept'),
      );
      await operations.start();
      health.start();
    },
    async stop() {
      await health.stop();
      await operations.stop();
      await sites.close();
      await audit.stop();
      await databases.close();
    },
  };
}

/** The company that is there from the beginning gets its files at the first start. */
async function layOutFirst(parts: InstanceParts): Promise<void> {
  const first = await findInstance(parts.store, { as: 'coordinator' }, FIRST_INSTANCE);
  if (first === null || first.initializedAt !== null || (await hasFiles(parts, first))) return;
  await layOutFiles(parts, first, 'complete');
}

function mustLook(who: Principal): void {
  mustHave(who, 'administer');
  mustOperate(who);
}

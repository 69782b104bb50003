import process from 'node:process';
import type { Random } from '../../platform/clock.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { noInstance } from '../../trust/identity/may.ts';
import { listKeys, type KeptKey } from '../../trust/identity/key-store.ts';
import { folderOf } from './company-files.ts';
import { placeOf } from './company-place.ts';
import { InstanceContexts, type CompanyReading, type InstanceContext } from './folder/instance-contexts.ts';
import type { InstanceParts } from './instance-parts.ts';
import { findHealths, findInstance, type KeptInstance } from './instance-store.ts';
import type { ValidationReport } from './instance-views.ts';
import { registeredCompany } from './reconcile-instances.ts';
import { InspectionMemory } from './validation/inspection-memory.ts';
import { HealthMonitor } from './validation/health-monitor.ts';
import { saveReports } from './validation/health-store.ts';
import { CheckRunner } from './validation/run-checks.ts';
import { validateInstance, type ValidationCause } from './validation/validate-instance.ts';

const COORDINATOR = { as: 'coordinator' } as const;
/** Keys of one company that are looked at. */
const MOST_KEYS = 1_000;

export type Health = {
  validate(name: string): Promise<ValidationReport>;
  /** Throws INSTANCE_STATE where companies have no files. */
  context(name: string): Promise<InstanceContext>;
  /** What the files of a company say; null = companies have none here. */
  files(kept: KeptInstance): Promise<CompanyReading | null>;
  start(): void;
  stop(): Promise<void>;
};

/** Contexts, validation and the watch over the health of companies. */
export function openHealth(
  parts: InstanceParts,
  options: {
    random: Random;
    owned: () => string[];
    secretNames: (name: string) => Promise<string[]>;
    /** Of the embedded databases; null = they are elsewhere. */
    dataFolder: string | null;
    /** For URLs that a company names. */
    fetch: typeof fetch;
  },
): Health {
  const { store, clock, log, append, instancesFolder } = parts;
  const { dataFolder } = options;
  const kept = (name: string): Promise<KeptInstance | null> => findInstance(store, COORDINATOR, name);
  const mustFind = async (name: string): Promise<KeptInstance> => {
    const found = await kept(name);
    if (found === null) throw noInstance(name);
    return found;
  };
  const contexts =
    instancesFolder === null
      ? null
      : new InstanceContexts({
          instancesFolder,
          row: async (name) => {
            const found = await kept(name);
            return found === null ? null : registeredCompany(found);
          },
          secretNames: options.secretNames,
        });
  const runner = new CheckRunner({
    onError: (instance, check, error) => log('warn', { err: error, instance, check }, 'a check of a company broke'),
  });
  const memory = new InspectionMemory({
    clock,
    random: options.random,
    stored: async (name) => {
      const [found] = await findHealths(store, [name]);
      return found === undefined || found.health === 'unknown' ? null : found.faults;
    },
  });
  const validate = async (name: string, cause: ValidationCause = 'asked'): Promise<ValidationReport> => {
    if (contexts === null) return withoutFiles(await mustFind(name), clock.now());
    return validateInstance(
      {
        contexts,
        runner,
        clock,
        row: async (of) => {
          const found = await kept(of);
          return found === null ? null : { ...registeredCompany(found), monthCostUsd: found.statistics.month_cost_usd };
        },
        inspect: async (context) =>
          parts.databases.inspect(await placeOf(parts, await mustFind(context.name), { folder: context })),
        keys: (of): Promise<KeptKey[]> => listKeys(store, COORDINATOR, { instance: of, after: '', limit: MOST_KEYS }),
        accounts: async (context) => parts.accounts(await mustFind(context.name), context),
        memory: store.tier === 'embedded' ? memory : null,
        disks: dataFolder === null ? [] : [{ place: 'disk of the data', folder: dataFolder }],
        searchPath: process.env.PATH ?? '',
        fetch: options.fetch,
      },
      name,
      cause,
    );
  };
  const monitor = new HealthMonitor({
    companies: async () => {
      const found = await findHealths(store, options.owned());
      return found.map(({ name, folder, health, faults }) => ({
        name,
        folder: folderOf(parts, { name, folder }),
        health,
        faults,
      }));
    },
    validate,
    save: (reports) => saveReports(store, reports),
    onHealth: async (name, from, { health, faults }) => {
      const data = { from, to: health, faults: faults.map(({ code, place }) => ({ code, place })) };
      await append(name, [{ type: 'instance.health_changed', by: 'engine', data }]);
    },
    clock,
    random: options.random,
    log,
  });
  return {
    validate: (name) => monitor.validate(name),
    async context(name) {
      if (contexts === null) throw new ColmeiaError('INSTANCE_STATE', 'companies have no files here');
      return contexts.load(name);
    },
    files: async (of) => (await contexts?.files(of)) ?? null,
    start() {
      if (contexts !== null) monitor.start(); // without files there is nothing to watch
    },
    stop: () => monitor.stop(),
  };
}

/** Nothing of a company can be wrong that has no files and whose database is Colmeia's own business. */
function withoutFiles({ name }: KeptInstance, now: number): ValidationReport {
  const checks = [{ name: 'files', state: 'off' as const, ms: 0, detail: 'companies have no files here' }];
  return { name, health: 'healthy', faults: [], checks, validated_at: new Date(now).toISOString() };
}

// Companies as the control plane handles them: their context, their validation. The registry is an embedded store with 1,000 of
// them; each has a folder of its own, one has a database.
import fs from 'node:fs';
import path from 'node:path';
import { openCompanyDatabases } from '../src/coordination/instances/databases/open-company-databases.ts';
import { InstanceContexts } from '../src/coordination/instances/folder/instance-contexts.ts';
import { layOutFolder } from '../src/coordination/instances/folder/lay-out-folder.ts';
import { readCompanySql } from '../src/coordination/instances/folder/read-folder.ts';
import { findInstance, insertInstance } from '../src/coordination/instances/instance-store.ts';
import { registeredCompany } from '../src/coordination/instances/reconcile-instances.ts';
import { CheckRunner } from '../src/coordination/instances/validation/run-checks.ts';
import { validateInstance, type ValidationParts } from '../src/coordination/instances/validation/validate-instance.ts';
import { systemClock } from '../src/platform/clock.ts';
import { openStore } from '../src/platform/store/open-store.ts';
import type { Store } from '../src/platform/store/store.ts';
import { listKeys } from '../src/trust/identity/key-store.ts';
import { temporaryFolder } from './places.ts';
import type { BenchContext } from './row.ts';
import { quantile, rounded } from './statistics.ts';

const COMPANIES = 1_000;
const LOADS = 3_000;
const CHANGES = 300;
const VALIDATIONS = 200;
const COORDINATOR = { as: 'coordinator' } as const;
const OFF = { supabase: 'off', jira: 'off', confluence: 'off' };

export async function bench({ say, add }: BenchContext): Promise<void> {
  const folder = temporaryFolder('instances');
  const instancesFolder = path.join(folder, 'instances');
  const dataFolder = path.join(folder, 'data');
  const names = Array.from({ length: COMPANIES }, (_, n) => `company-${n}`);
  const store = await openStore({ databaseUrl: null, dataFolder });
  const databases = await openCompanyDatabases({
    databaseUrl: null,
    dataFolder,
    secrets: { reveal: async () => null, put: async () => 1 } as never,
  });
  try {
    for (const name of names) await found(store, instancesFolder, name);
    const place = { id: 'company0', instance: names[0]!, strategy: 'hybrid', url: null } as const;
    await databases.provision(place);
    await databases.migrate(place, (await readCompanySql(path.join(instancesFolder, names[0]!))).migrations);
    const parts = partsOf(store, instancesFolder, () => databases.inspect(place));

    const loads = await times(LOADS, (n) => parts.contexts.load(names[n % COMPANIES]!));
    say(`  load context: first of each ${ms(loads.slice(0, COMPANIES))}; again ${ms(loads.slice(COMPANIES))}`);
    add({
      work: `load context of one of ${COMPANIES} companies, p95`,
      value: p95(loads.slice(COMPANIES)),
      unit: 'ms',
      target: '<= 5',
    });
    const changed = await times(CHANGES, (n) => {
      const name = names[n % COMPANIES]!;
      fs.appendFileSync(path.join(instancesFolder, name, '.env'), `CHANGE_${n}=1\n`);
      return parts.contexts.load(name);
    });
    add({ work: 'the same after a file has changed', value: p95(changed), unit: 'ms', target: null });
    const validations = await times(VALIDATIONS, () => validateInstance(parts, names[0]!));
    say(`  validate: ${ms(validations)}`);
    add({ work: 'validate one company without network, p95', value: p95(validations), unit: 'ms', target: '<= 100' });
  } finally {
    await databases.close();
    await store.close();
  }
}

async function found(store: Store, instancesFolder: string, name: string): Promise<void> {
  const settings = { strategy: 'hybrid', tier: 'bronze', template: 'shop' } as const;
  const row = { ...settings, name, budgetUsd: null, folder: null };
  await store.write(COORDINATOR, async (sql) => {
    for (const { text, values } of insertInstance(row)) await sql.query(text, values);
    await sql.query('update instance set initialized_at = now() where name = $1', [name]);
  });
  const values = { ...settings, display_name: name, budget_usd: null, locale: 'en' };
  await layOutFolder({ instancesFolder, name, folder: null, template: 'shop', values, ifExists: 'refuse' });
}

function partsOf(store: Store, instancesFolder: string, inspect: ValidationParts['inspect']): ValidationParts {
  const row: ValidationParts['row'] = async (name) => {
    const kept = await findInstance(store, COORDINATOR, name);
    return kept === null ? null : { ...registeredCompany(kept), monthCostUsd: kept.statistics.month_cost_usd };
  };
  const secretNames = async (name: string): Promise<string[]> => {
    const rows = await store.read(COORDINATOR, (sql) =>
      sql.query('select name from secret where instance = $1', [name]),
    );
    return rows.map((one) => one.name as string);
  };
  return {
    contexts: new InstanceContexts({ instancesFolder, row, secretNames }),
    runner: new CheckRunner({
      onError: (company, check, error) => {
        throw new Error(`${company}: ${check}`, { cause: error });
      },
    }),
    clock: systemClock,
    row,
    inspect,
    memory: null,
    keys: (instance) => listKeys(store, COORDINATOR, { instance, after: '', limit: 1_000 }),
    accounts: async () => OFF,
    disks: [{ place: 'disk', folder: instancesFolder }],
    searchPath: '',
    fetch,
  };
}

/** How long each took, in ms, one after the other. */
async function times(count: number, work: (n: number) => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < count; n++) {
    const from = performance.now();
    await work(n);
    took.push(performance.now() - from);
  }
  return took;
}

const p95 = (values: readonly number[]): number => rounded(quantile([...values], 0.95));
const ms = (values: readonly number[]): string =>
  `median ${rounded(quantile([...values], 0.5))} ms, p95 ${p95(values)} ms, worst ${rounded(Math.max(...values))} ms`;

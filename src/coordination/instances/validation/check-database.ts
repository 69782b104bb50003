import type { DatabaseInspection } from '../databases/inspect.ts';
import type { SqlFileView } from '../folder/instance-contexts.ts';
import type { CompanyFault } from '../instance-views.ts';
import { clockFault, diskFault } from './check-machine.ts';
import { companyFault } from './validation-codes.ts';

/** What is wrong with the database of a company that was initialized, given the migrations of its folder. */
export function checkDatabase(found: DatabaseInspection, migrations: readonly SqlFileView[]): CompanyFault[] {
  if (!found.reachable)
    return [companyFault('DATABASE_UNREACHABLE', 'database', `it does not answer: ${found.reason}`)];
  const clock = clockFault('database', found.clockSkewMs);
  const disk = found.freeBytes === null ? null : diskFault('disk of the database', found.freeBytes);
  return [
    ...migrationFaults(found, migrations),
    ...found.tables.flatMap(tableFaults),
    ...found.roleFaults.map((fault) => companyFault('ROLE_PRIVILEGED', 'database', fault)),
    ...[clock, disk].filter((fault) => fault !== null),
  ];
}

function migrationFaults(found: DatabaseInspection, migrations: readonly SqlFileView[]): CompanyFault[] {
  const key = ({ origin, version }: { origin: string; version: number }): string => `${origin}/${version}`;
  const applied = new Map(found.migrations.map((one) => [key(one), one]));
  const known = new Set(migrations.map(key));
  const faults = migrations.flatMap((file): CompanyFault[] => {
    const one = applied.get(key(file));
    if (one === undefined) return [companyFault('MIGRATION_PENDING', file.file, `${file.file} is not applied`)];
    if (one.checksum === file.checksum) return [];
    return [companyFault('MIGRATION_CHANGED', file.file, `${file.file} was changed after it was applied`)];
  });
  if (!found.migrated) faults.push(companyFault('MIGRATION_PENDING', 'database', 'its base is not there yet'));
  for (const one of found.migrations) {
    if (one.origin === 'base' || known.has(key(one))) continue;
    const what = `migration ${one.version} (${one.name}) of ${one.origin}`;
    faults.push(companyFault('MIGRATION_CHANGED', what, `${what} is applied, and its file is not there`));
  }
  return faults;
}

function tableFaults({ name, rls, forced, policies }: DatabaseInspection['tables'][number]): CompanyFault[] {
  const place = `table ${name}`;
  if (!rls) return [companyFault('RLS_OFF', place, `${name} has no row level security`)];
  const faults: CompanyFault[] = [];
  if (!forced) faults.push(companyFault('RLS_NOT_FORCED', place, `row level security of ${name} is not forced`));
  if (policies === 0) faults.push(companyFault('RLS_WITHOUT_POLICY', place, `${name} has no policy`));
  return faults;
}

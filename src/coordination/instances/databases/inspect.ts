import { type Clock } from '../../../platform/clock.ts';
import { isColmeiaError } from '../../../platform/errors.ts';
import { isConnectionLoss } from '../../../platform/store/server-errors.ts';
import { sqlIdentifier, sqlLiteral } from '../../../platform/store/transaction.ts';
import { type CompanySession } from './company-host.ts';
import { commonDatabase } from './place-names.ts';
import { settingClaims } from './prepare-database.ts';

export type TableInspection = {
  name: string;
  rls: boolean;
  forced: boolean;
  policies: number;
  /** The database's own estimate; counted where there is none yet and the table is small. */
  rows: number;
  /** With indexes. */
  bytes: number;
};

export type DatabaseInspection = {
  reachable: boolean;
  /** Why not; null when it is. What follows is empty then. */
  reason: string | null;
  /** `16.4`. */
  version: string;
  /** false = its base is not there yet. */
  migrated: boolean;
  migrations: { origin: string; version: number; name: string; checksum: string; applied_at: Date }[];
  tables: TableInspection[];
  /** What the company's role may and should not, as `role company_acme is a superuser`. */
  roleFaults: string[];
  /** How far the database's clock is ahead of ours, ms. */
  clockSkewMs: number;
  /** Of the disk it lies on; null = not known. */
  freeBytes: number | null;
  /** Of all tables. */
  bytes: number;
};

/** Larger tables are worth an estimate, which the database makes by itself before long. */
const SMALL_BYTES = 1024 * 1024;
const MOST_COUNTED = 200;
const COUNT_MS = 2_000;

/** `unknown`: `rows` says nothing. */
type Found = TableInspection & { unknown: boolean };

const TABLES = `select c.relname::text as name, c.relrowsecurity as rls, c.relforcerowsecurity as forced,
    (select count(*) from pg_policy p where p.polrelid = c.oid) as policies,
    coalesce(nullif(pg_stat_get_live_tuples(c.oid), 0), greatest(c.reltuples, 0)::int8) as rows, pg_total_relation_size(c.oid) as bytes,
    c.relkind = 'r' and c.reltuples < 0 and pg_stat_get_live_tuples(c.oid) = 0 as unknown
  from pg_class c where c.relnamespace = (select oid from pg_namespace where nspname = $1) and c.relkind in ('r', 'p')
    and not exists (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e') order by 1`;

const ROLE_FAULTS = `with me as (select * from pg_roles where rolname = $2)
  select format('role %s %s', rolname, fault) as fault from (
    select rolname, unnest(array[
      case when rolsuper then 'is a superuser' end, case when rolcreaterole then 'may make roles' end,
      case when rolcreatedb then 'may make databases' end, case when rolreplication then 'may replicate' end,
      case when rolbypassrls then 'passes row level security by' end]) as fault from me
    union all select me.rolname, 'is a member of ' || r.rolname from me join pg_auth_members m on m.member = me.oid join pg_roles r on r.oid = m.roleid
    union all select me.rolname, 'may use schema ' || n.nspname from me, pg_namespace n
      where n.nspname like 'company\\_%' and n.nspname <> $1 and has_schema_privilege(me.oid, n.oid, 'usage')
    union all select me.rolname, 'may create in schema ' || n.nspname from me, pg_namespace n
      where n.nspname <> $1 and n.nspname not like 'pg\\_%' and n.nspowner <> me.oid and has_schema_privilege(me.oid, n.oid, 'create')
    union all select me.rolname, 'may connect to database ' || d.datname from me, pg_database d
      where d.datname <> current_database() and (d.datname like 'colmeia\\_company\\_%' or d.datname in ($3, $4)) and has_database_privilege(me.oid, d.oid, 'connect')
  ) found where fault is not null order by 1`;

const ABOUT = `select current_setting('server_version') as version, extract(epoch from clock_timestamp()) * 1000 as now,
    to_regclass($1) is not null as migrated`;

/** Looks at the database as the company's role sees it: at the catalog, and at how many rows small new tables have. */
export async function inspectDatabase(
  session: CompanySession,
  of: { schema: string; role: string; ownDatabase: string | null; clock: Clock },
): Promise<Omit<DatabaseInspection, 'freeBytes'>> {
  const { schema, role, ownDatabase, clock } = of;
  await session.script(`begin isolation level repeatable read read only; ${settingClaims({ role: 'service_role' })}`);
  try {
    const table = `"${schema}".schema_migration`;
    const asked = clock.now();
    const [about] = await session.query(ABOUT, [table]);
    const now = (asked + clock.now()) / 2;
    const migrated = about!.migrated === true;
    const columns = 'origin, version, name, checksum, applied_at';
    const migrations = migrated
      ? await session.query(`select ${columns} from ${table} order by origin, version`, [])
      : [];
    const found = (await session.query(TABLES, [schema])) as Found[];
    const faults = await session.query(ROLE_FAULTS, [
      schema,
      role,
      ownDatabase,
      ownDatabase === null ? null : commonDatabase(ownDatabase),
    ]);
    const tables = await withCounts(session, schema, found);
    return {
      reachable: true,
      reason: null,
      version: String(about!.version).split(' ')[0]!,
      migrated,
      migrations: migrations as DatabaseInspection['migrations'],
      tables,
      roleFaults: faults.map(({ fault }) => String(fault)),
      clockSkewMs: Math.round(Number(about!.now) - now),
      bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  } finally {
    await session.script('rollback').catch(() => undefined); // what broke the connection is told by the query
  }
}

/** Last in its transaction, which a failure ends: policies are the company's own, and may fail or take long. */
async function withCounts(
  session: CompanySession,
  schema: string,
  found: readonly Found[],
): Promise<TableInspection[]> {
  const few = found.filter(({ unknown, bytes }) => unknown && bytes < SMALL_BYTES).slice(0, MOST_COUNTED);
  const counts = few.map(
    ({ name }) =>
      `select ${sqlLiteral(name)} as name, pg_catalog.count(*) as rows from only ${sqlIdentifier(schema)}.${sqlIdentifier(name)}`,
  );
  const counted = new Map<string, number>();
  try {
    if (few.length > 0) await session.script(`set local statement_timeout = ${COUNT_MS}`);
    const rows = few.length > 0 ? await session.query(counts.join(' union all '), []) : [];
    for (const row of rows) counted.set(String(row.name), Number(row.rows));
  } catch (error) {
    if (isColmeiaError(error) || isConnectionLoss(error)) throw error;
  }
  return found.map(({ name, rls, forced, policies, rows, bytes }) => {
    return { name, rls, forced, policies, rows: counted.get(name) ?? rows, bytes };
  });
}

export function unreachable(reason: string): DatabaseInspection {
  return {
    reachable: false,
    reason,
    version: '',
    migrated: false,
    migrations: [],
    tables: [],
    roleFaults: [],
    clockSkewMs: 0,
    freeBytes: null,
    bytes: 0,
  };
}

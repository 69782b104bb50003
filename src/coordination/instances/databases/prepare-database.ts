import { type Session, sqlIdentifier, sqlLiteral } from '../../../platform/store/transaction.ts';

/** Supabase's roles, which policies and grants may name; where it is not Supabase they are made, without login. */
const ROLES = `do $$ declare r text; begin
  foreach r in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = r) then
      begin
        execute format('create role %I nologin', r);
      exception when duplicate_object or unique_violation then null; -- another database of the server was first
      end;
    end if;
  end loop;
end $$`;

/** Supabase's functions about who asks. On Supabase they are there, and stay as they are. */
const AUTH = `do $do$ begin
  if to_regnamespace('auth') is not null then return; end if;
  create schema auth;
  create function auth.jwt() returns jsonb language sql stable
    return coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
  create function auth.uid() returns uuid language sql stable return nullif(auth.jwt() ->> 'sub', '')::uuid;
  create function auth.role() returns text language sql stable return nullif(auth.jwt() ->> 'role', '');
  grant usage on schema auth to public;
end $do$`;

/** What every database that holds companies needs before the first migration; may be repeated. Run by who owns the database. */
export const PREPARE_DATABASE: readonly string[] = [ROLES, AUTH];

/** For whom a transaction is: the claims that Supabase's API would set. Whatever search_path a company has set meanwhile. */
export function settingClaims(claims: object): string {
  return `select pg_catalog.set_config('request.jwt.claims', ${sqlLiteral(JSON.stringify(claims))}, true)`;
}

/**
 * How values become text, the same whoever connects: checksums and dumps are taken under these. `schema` null = the catalog alone,
 * without which whoever sees every row must run nothing.
 */
function textSettings(schema: string | null): string {
  const path = schema === null ? 'pg_catalog, pg_temp' : `pg_catalog, ${sqlIdentifier(schema)}, pg_temp`;
  return `set local search_path = ${path}; set local timezone = 'UTC'; set local datestyle = 'ISO, YMD';
    set local intervalstyle = 'postgres'; set local extra_float_digits = 1; set local bytea_output = 'hex';
    set local xmloption = 'content'; set local row_security = off; set local quote_all_identifiers = off;
    set local statement_timeout = 0`;
}

/**
 * A company may put a view in the place of a table between its being listed and read, whose functions would run as who sees every
 * row. PostgreSQL has this against it since August 2024, for pg_dump.
 */
const TABLES_ALONE = `select set_config(name, 'view, foreign-table', true) from pg_settings where name = 'restrict_nonsystem_relation_kind'`;

/** Runs `work` in a transaction that sees one moment and changes nothing. */
export async function readMoment<T>(
  session: Session,
  options: { schema: string | null; snapshot?: string | null },
  work: () => Promise<T>,
): Promise<T> {
  const snapshot = options.snapshot ? `set transaction snapshot ${sqlLiteral(options.snapshot)};` : '';
  const tablesAlone = options.schema === null ? `; ${TABLES_ALONE}` : '';
  await session.script(
    `begin isolation level repeatable read read only; ${snapshot} ${textSettings(options.schema)}${tablesAlone}`,
  );
  try {
    return await work();
  } finally {
    await session.script('rollback').catch(() => undefined); // what broke the connection is told by `work`
  }
}

import { ColmeiaError } from '../../../platform/errors.ts';
import { type Sql } from '../../../platform/store/store.ts';
import { sqlIdentifier, sqlLiteral } from '../../../platform/store/transaction.ts';
import { type CompanySession, type Sight } from './company-host.ts';
import { settingClaims } from './prepare-database.ts';
import { type SchemaDefinition } from './schema-definition.ts';
import { writeDefinition } from './write-definition.ts';

/** What a database is to be filled with. */
export type Filling = {
  definition: SchemaDefinition;
  /** Values of sequences, as a fingerprint has them. */
  sequences: Record<string, string>;
  /** Batches of rows of a table, each row as the text of its composite value. */
  rows(table: string): AsyncIterable<string[]>;
  signal: AbortSignal;
  onRows(rows: number): void;
};

/** Drops what a schema holds but for what belongs to extensions, which go first. Runs as who owns it. */
const EMPTY_SCHEMA = `do $$ declare s oid := (select oid from pg_namespace where nspname = current_schema()); command text; begin
  for command in select format('drop extension if exists %I cascade', extname) from pg_extension where extnamespace = s loop execute command; end loop;
  for command in select format('drop %s if exists %I.%I cascade', case c.relkind when 'v' then 'view' when 'm' then 'materialized view'
      when 'S' then 'sequence' when 'f' then 'foreign table' else 'table' end, current_schema(), c.relname)
    from pg_class c left join pg_depend d on c.relkind = 'S' and d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i'
    where c.relnamespace = s and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and d.objid is null loop execute command; end loop;
  for command in select format('drop routine if exists %s cascade', oid::regprocedure) from pg_proc where pronamespace = s loop execute command; end loop;
  for command in select format('drop type if exists %I.%I cascade', current_schema(), typname) from pg_type t left join pg_class c on c.oid = t.typrelid
    where typnamespace = s and (typtype in ('d', 'e', 'r') or c.relkind = 'c') loop execute command; end loop;
end $$`;

/** Empties the company's schema, keeping the schema itself. */
export async function emptyDatabase({ company }: Sight): Promise<void> {
  await runAll(company, [EMPTY_SCHEMA]);
}

/** In one transaction. */
export async function runAll(company: CompanySession, statements: readonly string[]): Promise<void> {
  await company.script(`begin; set local statement_timeout = 0; set local lock_timeout = '10s'`);
  try {
    await company.run(statements.join(';\n'));
    await company.script('commit');
  } catch (error) {
    await company.script('rollback').catch(() => undefined); // the first error is the one to tell
    throw error;
  }
}

/**
 * Replaces all a company's schema holds by `filling`, in one transaction of the company's role: after a failure it is as it was
 * before. Throws DATABASE_NOT_PORTABLE with the statements that could not be carried out.
 */
export async function fillDatabase({ company, schema, role }: Sight, id: string, filling: Filling): Promise<void> {
  const statements = writeDefinition(filling.definition, schema, role);
  await company.script(
    `begin; set local statement_timeout = 0; set local lock_timeout = '10s'; set local check_function_bodies = off;
     set local idle_in_transaction_session_timeout = 0; set local timezone = 'UTC'; set local datestyle = 'ISO, YMD';
     set local intervalstyle = 'postgres'; ${settingClaims({ role: 'service_role' })}`,
  );
  try {
    await company.run(EMPTY_SCHEMA);
    await carryOut(company, statements.before);
    await insertRows(company, schema, filling);
    await company.run(`update company set id = ${sqlLiteral(id)}`);
    for (const [name, value] of Object.entries(filling.sequences)) await setSequence(company as Sql, name, value);
    await carryOut(company, statements.after);
    await company.script('commit');
  } catch (error) {
    await company.script('rollback').catch(() => undefined); // the first error is the one to tell
    throw error;
  }
}

/** `value` as in a fingerprint: `7 called`. */
export async function setSequence(session: Sql, name: string, value: string): Promise<void> {
  const [last, state] = value.split(' ', 2);
  const called = state === 'called';
  await session.query('select setval($1::regclass, $2::int8, $3::bool)', [sqlIdentifier(name), last, called]);
}

async function insertRows(
  company: CompanySession,
  schema: string,
  { definition, rows, signal, onRows }: Filling,
): Promise<void> {
  for (const { name, columns } of definition.tables) {
    const list = columns
      .filter(({ generated }) => generated === '')
      .map((column) => sqlIdentifier(column.name))
      .join(', ');
    const table = `${sqlIdentifier(schema)}.${sqlIdentifier(name)}`; // with its schema: `record` alone is a type of the catalog
    const insert = `insert into ${table} (${list}) overriding system value select ${list} from unnest($1::${table}[])`;
    const blank = `insert into ${table} select from unnest($1::${table}[])`;
    for await (const batch of rows(name)) {
      signal.throwIfAborted();
      await company.query(list === '' ? blank : insert, [batch]);
      onRows(batch.length);
    }
  }
}

/** In the order given, except that what fails because something is missing is tried again behind the others. */
async function carryOut(company: CompanySession, statements: readonly string[]): Promise<void> {
  let left = statements;
  while (left.length > 0) {
    const failed: { statement: string; error: Error }[] = [];
    for (const group of left.length === statements.length && (await tryAll(company, left)) ? [] : left) {
      const error = await attempt(company, group);
      if (error !== null) failed.push({ statement: group, error });
    }
    if (failed.length > 0 && failed.length === left.length) throw notCarriedOut(failed);
    left = failed.map(({ statement }) => statement);
  }
}

/** Usually nothing is missing: all of them in one go. */
async function tryAll(company: CompanySession, statements: readonly string[]): Promise<boolean> {
  return (await attempt(company, statements.join(';\n'))) === null;
}

async function attempt(company: CompanySession, text: string): Promise<Error | null> {
  await company.script('savepoint statement');
  try {
    await company.run(text);
    await company.script('release savepoint statement');
    return null;
  } catch (error) {
    if (!/^[0-9A-Z]{5}$/.test((error as { code?: string }).code ?? '')) throw error; // the database is away
    await company.script('rollback to savepoint statement');
    return error as Error;
  }
}

function notCarriedOut(failed: { statement: string; error: Error }[]): ColmeiaError {
  const faults = failed.map(({ statement, error }) => ({ path: statement.slice(0, 120), message: error.message }));
  return new ColmeiaError('DATABASE_NOT_PORTABLE', `${failed.length} objects could not be made in the target.`, {
    faults,
  });
}

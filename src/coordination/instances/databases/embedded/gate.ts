import { type PgliteSession } from '../../../../platform/store/pglite-session.ts';
import { encodeValue } from '../../../../platform/store/sql-values.ts';
import { type Row } from '../../../../platform/store/store.ts';
import { sqlIdentifier, sqlLiteral } from '../../../../platform/store/transaction.ts';

/**
 * PGlite's only session is a superuser's, and `set role` could be taken back by whatever it runs. Inside of a SECURITY DEFINER
 * function PostgreSQL refuses to change the role or the session's user, so everything a company wrote runs in two such functions
 * that its role owns but cannot reach: it has no usage of their schema.
 */
const SCHEMA = 'colmeia_gate';
/** Oid of what functions without a value answer; no column of a record can have it. */
const VOID = 2278;
/** Of the statement that is being described. */
const STATEMENT = 'colmeia_gate';

/** Makes the functions of a role, also when the company dropped them. */
export function makingGate(role: string): string {
  const [run, rows] = gatesOf(role);
  const owner = sqlIdentifier(role);
  const options = 'language plpgsql security definer';
  return `create schema if not exists ${SCHEMA}; revoke all on schema ${SCHEMA} from public; grant create on schema ${SCHEMA} to ${owner};
    create or replace function ${run}(text) returns void ${options} as 'begin execute $1; end';
    create or replace function ${rows}(text) returns setof record ${options} as 'begin return query execute $1; end';
    alter function ${run}(text) owner to ${owner}; alter function ${rows}(text) owner to ${owner};
    revoke create on schema ${SCHEMA} from ${owner};
    revoke execute on function ${run}(text), ${rows}(text) from public`;
}

export function droppingGate(role: string): string {
  const [run, rows] = gatesOf(role);
  return `drop function if exists ${run}(text), ${rows}(text)`;
}

function gatesOf(role: string): [run: string, rows: string] {
  return [`${SCHEMA}.${sqlIdentifier(`run_${role}`)}`, `${SCHEMA}.${sqlIdentifier(`rows_${role}`)}`];
}

/** Several statements as `role`. */
export async function runInGate(session: PgliteSession, role: string, text: string): Promise<void> {
  await session.query(`select ${gatesOf(role)[0]}($1)`, [text]);
}

/**
 * One statement as `role`, with the rows it answers. Describing runs nothing of it; but what a superuser has parsed may be in schemas
 * that the role has no usage of, so it is parsed by the role before it is run.
 */
export async function queryInGate(
  session: PgliteSession,
  role: string,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const [run, rows] = gatesOf(role);
  if (values.length === 0) await session.prepare(STATEMENT, text);
  else await session.query(`select ${run}($1)`, [`prepare ${STATEMENT} as ${text}`]);
  try {
    const columns = await session.describe(STATEMENT);
    const literals = values.map((value) => literal(encodeValue(value)));
    const statement = values.length === 0 ? text : `execute ${STATEMENT}(${literals.join(',')})`;
    if (columns.every(({ type }) => type === VOID)) {
      await session.query(`select ${run}($1)`, [statement]);
      return columns.length === 0 ? [] : [Object.fromEntries(columns.map(({ name }) => [name, '']))];
    }
    const oids = columns.map(({ type }) => type);
    const modifiers = columns.map(({ modifier }) => modifier);
    const types = await session.query(
      `select pg_catalog.format_type(t, m) as name from rows from (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.int4[])) with ordinality as u(t, m, n) order by n`,
      [oids, modifiers],
    );
    const list = types.map(({ name }, i) => `c${i} ${name}`).join(', ');
    const found = await session.query(`select * from ${rows}($1) as answer(${list})`, [statement]);
    return found.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[`c${i}`]])));
  } finally {
    await session.unprepare(STATEMENT);
  }
}

const literal = (text: string | null): string => (text === null ? 'null' : sqlLiteral(text));

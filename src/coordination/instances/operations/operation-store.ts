import type { Row, Scope, Store } from '../../../platform/store/store.ts';
import type { OperationKind, OperationState, StepView } from '../instance-views.ts';
import type { Operation } from './operation.ts';

const COORDINATOR: Scope = { as: 'coordinator' };
const SHOWN = 'id, instance, kind, steps, state, error, by, rev, started_at, ended_at';
const ALL = `${SHOWN}, input, memory, runner`;

export type KeptOperation = Operation & { /** Process that carries it out; '' = none. */ runner: string };

const operationOf = (row: Row): KeptOperation => ({
  id: row.id as string,
  instance: row.instance as string,
  kind: row.kind as OperationKind,
  input: row.input ?? {},
  memory: (row.memory ?? {}) as Record<string, unknown>,
  steps: row.steps as StepView[],
  state: row.state as OperationState,
  error: row.error as Operation['error'],
  by: row.by as string,
  rev: row.rev as number,
  startedAt: (row.started_at as Date).toISOString(),
  endedAt: (row.ended_at as Date | null)?.toISOString() ?? null,
  runner: (row.runner ?? '') as string,
});

/** Under way, and holding one of the names of `$n`: that of its company, or the one that it gives. */
const holding = (n: number): string =>
  `o.state in ('running', 'undoing') and (o.instance = any($${n}) or (o.kind = 'rename' and o.input ->> 'to' = any($${n})))`;

/** Names that nobody else may make, take or give while it is under way. */
function namesOf({ kind, instance, input }: Operation): string[] {
  return kind === 'rename' ? [instance, (input as { to: string }).to] : [instance];
}

/**
 * Fails with 22012 or 23505 while another operation that holds one of its names is under way. All that make or take names are in the
 * fleet's journal, one after the other, so that none comes between the look and the row.
 */
export const insertOperation = (operation: Operation, runner: string) => ({
  text: `insert into instance_operation (id, instance, kind, input, memory, steps, state, by, rev, runner, started_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9::int4 / (not exists (select from instance_operation o where ${holding(12)}))::int4, $10, $11)`,
  values: [
    operation.id,
    operation.instance,
    operation.kind,
    JSON.stringify(operation.input),
    JSON.stringify(operation.memory),
    JSON.stringify(operation.steps),
    operation.state,
    operation.by,
    operation.rev,
    runner,
    operation.startedAt,
    namesOf(operation),
  ],
});

/** The one under way that holds a name of this operation; null = none. */
export async function findHolder(store: Store, operation: Operation): Promise<KeptOperation | null> {
  const [row] = await store.read(COORDINATOR, (sql) =>
    sql.query(`select ${ALL} from instance_operation o where ${holding(1)} limit 1`, [namesOf(operation)]),
  );
  return row === undefined ? null : operationOf(row);
}

/** Fails with 22012, a division by zero, when another process has taken the operation over: nothing is changed then. */
export const updateOperation = (operation: Operation, runner: string) => ({
  text: `update instance_operation set heard_at = now(), memory = $4, steps = $5, state = $6, error = $7,
      ended_at = $8, rev = $3::int4 / (runner = $2 and state in ('running', 'undoing'))::int4
    where id = $1`,
  values: [
    operation.id,
    runner,
    operation.rev,
    JSON.stringify(operation.memory),
    JSON.stringify(operation.steps),
    operation.state,
    operation.error === null ? null : JSON.stringify(operation.error),
    operation.endedAt,
  ],
});

/** An operation that has ended goes on, at this process; fails with 22012 when it has changed meanwhile. */
export const reopenOperation = (operation: Operation, runner: string) => ({
  text: `update instance_operation set heard_at = now(), runner = $2, steps = $4, state = $5, error = null, ended_at = null,
      rev = $3::int4 / (rev = $3 - 1 and state not in ('running', 'undoing'))::int4
    where id = $1`,
  values: [operation.id, runner, operation.rev, JSON.stringify(operation.steps), operation.state],
});

/** A company sees what was begun since it was founded: what came before was about another one of its name. */
const visible = (scope: Scope): string =>
  scope.as === 'coordinator'
    ? 'true'
    : 'exists (select 1 from instance i where i.name = o.instance and i.created_at <= o.started_at)';

/** What the scope may see; a company's own scope does not read input and memory. null = there is none. */
export async function findOperation(store: Store, scope: Scope, id: string): Promise<KeptOperation | null> {
  const columns = scope.as === 'coordinator' ? ALL : SHOWN;
  const [row] = await store.read(scope, (sql) =>
    sql.query(`select ${columns} from instance_operation o where id = $1 and ${visible(scope)}`, [id]),
  );
  return row === undefined ? null : operationOf(row);
}

/** The newest first; `after`: id of the last one that was seen, '' = none. */
export async function listOperations(
  store: Store,
  scope: Scope,
  query: { instance: string | null; after: string; limit: number },
): Promise<KeptOperation[]> {
  const columns = scope.as === 'coordinator' ? ALL : SHOWN;
  const rows = await store.read(scope, (sql) =>
    sql.query(
      `select ${columns} from instance_operation o
       where ${visible(scope)} and ($1::text is null or instance = $1) and ($2 = '' or id < $2) order by id desc limit $3`,
      [query.instance, query.after, query.limit],
    ),
  );
  return rows.map(operationOf);
}

/** The company is gone: of what was done to it only `id` stays. */
export async function forgetOperations(store: Store, instance: string, id: string): Promise<void> {
  await store.write(COORDINATOR, (sql) =>
    sql.query(
      `delete from instance_operation where instance = $1 and id <> $2 and state not in ('running', 'undoing')`,
      [instance, id],
    ),
  );
}

/** The company has another name: what was done to it is told under that. */
export async function renameOperations(store: Store, from: string, to: string, id: string): Promise<void> {
  await store.write(COORDINATOR, (sql) =>
    sql.query(
      `update instance_operation set instance = $2 where instance = $1 and id <> $3 and state not in ('running', 'undoing')`,
      [from, to, id],
    ),
  );
}

/** States of those that are known. */
export async function readStates(store: Store, ids: readonly string[]): Promise<Map<string, OperationState>> {
  const rows = await store.read(COORDINATOR, (sql) =>
    sql.query('select id, state from instance_operation where id = any($1)', [ids]),
  );
  return new Map(rows.map((row) => [row.id as string, row.state as OperationState]));
}

/** Memory of operations that the caller was allowed to see. */
export async function readMemories(store: Store, ids: readonly string[]): Promise<Map<string, Operation['memory']>> {
  const rows = await store.read(COORDINATOR, (sql) =>
    sql.query('select id, memory from instance_operation where id = any($1)', [ids]),
  );
  return new Map(rows.map((row) => [row.id as string, row.memory as Operation['memory']]));
}

/** Operations under way whose process has given no sign of life for so long become this process's own. */
export async function claimOperations(
  store: Store,
  runner: string,
  { kinds, silentMs }: { kinds: readonly OperationKind[]; silentMs: number },
): Promise<KeptOperation[]> {
  const rows = await store.write(COORDINATOR, (sql) =>
    sql.query(
      `update instance_operation set runner = $1, heard_at = now()
       where state in ('running', 'undoing') and kind = any($3)
         and (runner = '' or heard_at <= now() - $2 * interval '1 ms')
       returning ${ALL}`,
      [runner, silentMs, kinds],
    ),
  );
  return rows.map(operationOf);
}

/** A sign of life; answers which of them this process still carries out. */
export async function keepOperations(store: Store, runner: string, ids: readonly string[]): Promise<string[]> {
  const rows = await store.write(COORDINATOR, (sql) =>
    sql.query('update instance_operation set heard_at = now() where runner = $1 and id = any($2) returning id', [
      runner,
      ids,
    ]),
  );
  return rows.map((row) => row.id as string);
}

/** The process ends: others need not wait until it has been silent. */
export async function releaseOperations(store: Store, runner: string): Promise<void> {
  await store.write(COORDINATOR, (sql) =>
    sql.query(`update instance_operation set runner = '' where runner = $1 and state in ('running', 'undoing')`, [
      runner,
    ]),
  );
}

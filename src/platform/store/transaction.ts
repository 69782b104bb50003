import { type Row, type Scope, type Sql } from './store.ts';

/** One connection, as far as a transaction needs it. */
export type Session = {
  /** Statements without values in one round trip; resolves with the command tag of the last one. */
  script(text: string): Promise<string>;
  query(text: string, values: readonly unknown[]): Promise<Row[]>;
  /** Nobody waits any more for a statement under way, and what comes after it fails at once. Not for those that end by themselves. */
  abandon?(): void;
};

const ROLES = { company: 'colmeia_company', coordinator: 'colmeia_coordinator', engine: 'colmeia_engine' } as const;

/** Safe whatever standard_conforming_strings says. */
export function sqlLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

export function sqlIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** What puts a transaction under a scope: the role, and the claims that Supabase's own API would set. */
export function openScope(scope: Scope, mode: 'read' | 'write', settings = ''): string {
  const role = ROLES[scope.as];
  const claims = JSON.stringify(scope.as === 'company' ? { role, instance: scope.instance } : { role });
  return (
    `begin${mode === 'read' ? ' isolation level repeatable read read only' : ''}; ${settings}set local role ${role}; ` +
    `select set_config('request.jwt.claims', ${sqlLiteral(claims)}, true)`
  );
}

/**
 * Runs `work` in one transaction under a scope. A failed statement whose error `work` hides is an error all the same, and a
 * query after the end is refused: it would run outside of the scope.
 */
export function inTransaction<T>(
  session: Session,
  scope: Scope,
  mode: 'read' | 'write',
  work: (sql: Sql) => Promise<T>,
  options: { deadlineMs: number; settings?: string },
): Promise<T> {
  return transact(session, openScope(scope, mode, options.settings), work, options.deadlineMs);
}

/** As `inTransaction`, where `opening` is the script that begins the transaction and says for whom it is. */
export async function transact<T>(
  session: Session,
  opening: string,
  work: (sql: Sql) => Promise<T>,
  deadlineMs: number,
): Promise<T> {
  let over = false;
  const sql: Sql = {
    async query<R extends Row>(text: string, values: readonly unknown[] = []) {
      if (over) throw new Error('The transaction is over; no statement runs without its scope.');
      return (await session.query(text, values)) as R[];
    },
  };
  try {
    await session.script(opening);
    const result = await withDeadline(work(sql), deadlineMs, () => session.abandon?.());
    over = true;
    const tag = await session.script('commit');
    if (tag !== 'COMMIT')
      throw new Error('A statement failed and its error was hidden; the transaction was rolled back.');
    return result;
  } catch (error) {
    over = true;
    await session.script('rollback').catch(() => undefined); // the first error is the one to tell
    throw error;
  }
}

async function withDeadline<T>(work: Promise<T>, deadlineMs: number, onLate: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const why = `A transaction took longer than ${deadlineMs} ms. Does it use the store inside of its own transaction?`;
    timer = setTimeout(() => {
      onLate();
      reject(new Error(why));
    }, deadlineMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

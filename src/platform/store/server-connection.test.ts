import assert from 'node:assert/strict';
import { test } from 'node:test';

import type pg from 'pg';

import { isConnectionLoss } from './server-errors.ts';
import { sessionOf } from './server-connection.ts';
import { transact } from './transaction.ts';

/** A connection on which what `answer` says comes of each statement. */
function clientOf(answer: (text: string) => Promise<unknown>): { client: pg.ClientBase; asked: string[] } {
  const asked: string[] = [];
  const query = (given: string | { text: string }): Promise<unknown> => {
    const text = typeof given === 'string' ? given : given.text;
    asked.push(text);
    return answer(text);
  };
  return { client: { query } as unknown as pg.ClientBase, asked };
}

const DONE = { command: 'BEGIN', rows: [] };

test('a statement after one that got no answer is refused, not queued behind it', async () => {
  const { client, asked } = clientOf(() => Promise.reject(new Error('Query read timeout')));
  const session = sessionOf(client);
  await assert.rejects(session.query('hangs', []), /read timeout/);
  await assert.rejects(session.script('rollback'), isConnectionLoss);
  assert.deepEqual([session.broken, asked], [true, ['hangs']]);
});

test('a transaction whose statement hangs past the deadline ends with the connection, without a rollback', async () => {
  const hanging = new Promise<never>(() => undefined);
  const { client, asked } = clientOf((text) => (text === 'hangs' ? hanging : Promise.resolve(DONE)));
  const session = sessionOf(client);
  await assert.rejects(
    transact(session, 'begin', (sql) => sql.query('hangs'), 5),
    /took longer than 5 ms/,
  );
  assert.deepEqual([session.broken, asked], [true, ['begin', 'hangs']]);
});

test('a transaction that is late without a statement under way is rolled back, and its connection stays', async () => {
  const { client, asked } = clientOf(() => Promise.resolve(DONE));
  const session = sessionOf(client);
  await assert.rejects(
    transact(session, 'begin', () => new Promise<never>(() => undefined), 5),
    /took longer than 5 ms/,
  );
  assert.deepEqual([session.broken, asked], [false, ['begin', 'rollback']]);
});

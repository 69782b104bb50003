import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../platform/clock.ts';
import { isColmeiaError, type ErrorCode } from '../../../platform/errors.ts';
import { openStore } from '../../../platform/store/open-store.ts';
import type { Store } from '../../../platform/store/store.ts';
import type { JournalEvent } from '../../../trust/audit/journal.ts';
import { Operations } from './operations.ts';
import type { OperationDefinition, StepContext } from './step.ts';

const COORDINATOR = { as: 'coordinator' } as const;
type Gate = { opened: Promise<void>; open(): void };
const gate = (): Gate => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
};

describe('operations over companies', () => {
  let store: Store;
  let events: JournalEvent[] = [];
  let names = 0;
  const living: Operations[] = [];

  before(async () => {
    store = await openStore({ databaseUrl: null, dataFolder: null });
  });
  after(async () => {
    for (const operations of living) await operations.stop();
    await store.close();
  });

  async function process(
    run: (context: StepContext<unknown, { first: number }>) => Promise<{ first: number } | void>,
    more: Partial<OperationDefinition<unknown, { first: number }>> = {},
  ): Promise<Operations> {
    const operations = new Operations({
      store,
      clock: systemClock,
      log: () => {},
      heartbeatMs: 20,
      silentMs: 60_000,
      append: async (_, said, statements = []) => {
        await store.write(COORDINATOR, async (sql) => {
          for (const { text, values } of statements) await sql.query(text, values);
        });
        events.push(...said);
      },
    });
    const steps = [
      { name: 'first', run },
      { name: 'second', run: async () => {} },
    ];
    operations.define('init', { steps, result: ({ first }) => ({ first }), ...more });
    await operations.start();
    living.push(operations);
    return operations;
  }

  test('an operation runs its steps, says each, and tells its result', async () => {
    events = [];
    const operations = await process(async () => ({ first: 1 }));
    const instance = 'known';
    await store.write(COORDINATOR, (sql) =>
      sql.query(`insert into instance (name, created_at) values ($1, now() - interval '1 hour')`, [instance]),
    );
    const { id, state } = await operations.begin('init', instance, {}, 'operator:local');
    assert.equal(state, 'running');
    const ended = await operations.ended(id);
    assert.deepEqual([ended?.state, ended?.result], ['completed', { first: 1 }]);
    assert.deepEqual(await operations.view(COORDINATOR, id), ended);
    assert.deepEqual((await operations.view({ as: 'company', instance }, id)).result, { first: 1 });
    await refused(operations.view({ as: 'company', instance: 'another' }, id), 'OPERATION_NOT_FOUND');
    assert.deepEqual(
      events.map(({ type }) => type.replace('instance.operation_', '')),
      ['started', 'step_done', 'step_done', 'completed'],
    );
  });

  test('a rename holds the name that it gives as well as the one that it takes', async () => {
    const held = gate();
    const operations = await process(() => held.opened as Promise<undefined>);
    const step = { name: 'only', run: () => held.opened };
    for (const kind of ['rename', 'create'] as const) operations.define(kind, { steps: [step], result: () => ({}) });
    const rename = await operations.begin('rename', 'old-name', { to: 'new-name' }, 'operator:local');
    await refused(operations.begin('create', 'new-name', {}, 'operator:local'), 'INSTANCE_BUSY');
    await refused(operations.begin('init', 'old-name', {}, 'operator:local'), 'INSTANCE_BUSY');
    await refused(operations.begin('rename', 'another', { to: 'new-name' }, 'operator:local'), 'INSTANCE_BUSY');
    const create = await operations.begin('create', 'third-name', {}, 'operator:local');
    await refused(operations.begin('rename', 'another', { to: 'third-name' }, 'operator:local'), 'INSTANCE_BUSY');
    held.open();
    for (const { id } of [rename, create]) assert.equal((await operations.ended(id))?.state, 'completed');
  });

  test('a second operation on a company is refused while one is under way, and taken when it has ended', async () => {
    const held = gate();
    const operations = await process(() => held.opened as Promise<undefined>);
    const instance = `company-${names++}`;
    const begun = await Promise.allSettled(
      Array.from({ length: 5 }, () => operations.begin('init', instance, {}, 'operator:local')),
    );
    const won = begun.filter((one) => one.status === 'fulfilled');
    assert.equal(won.length, 1);
    for (const one of begun)
      if (one.status === 'rejected') assert.ok(isColmeiaError(one.reason, 'INSTANCE_BUSY'), String(one.reason));
    held.open();
    await operations.ended(won[0]!.value.id);
    const { id } = await operations.begin('init', instance, {}, 'operator:local');
    assert.equal((await operations.ended(id))?.state, 'completed');
    const page = await operations.list(COORDINATOR, { instance, limit: 1 });
    assert.deepEqual([page.items.map((one) => one.id), page.next !== null], [[id], true]);
    const rest = await operations.list(COORDINATOR, { instance, limit: 1, after: page.next! });
    assert.deepEqual([rest.items.map((one) => one.id), rest.next], [[won[0]!.value.id], null]);
  });

  test('who waits for the next change is answered by it, and after the wait without one', async () => {
    const held = gate();
    const said = gate();
    const operations = await process(async ({ progress }) => {
      await said.opened;
      progress('half', 0.5);
      await held.opened;
    });
    const { id, rev } = await operations.begin('init', `company-${names++}`, {}, 'operator:local');
    const quiet = await operations.view(COORDINATOR, id, { afterRev: rev, waitMs: 5 });
    assert.equal(quiet.rev, rev);
    const next = operations.view(COORDINATOR, id, { afterRev: rev, waitMs: 20_000 });
    said.open();
    const heard = await next;
    assert.ok(heard.rev > rev);
    assert.deepEqual([heard.steps[0]!.detail, heard.steps[0]!.share], ['half', 0.5]);
    held.open();
    const end = async (after: number): Promise<string> => {
      const view = await operations.view(COORDINATOR, id, { afterRev: after, waitMs: 20_000 });
      return view.state === 'running' ? end(view.rev) : view.state;
    };
    assert.equal(await end(heard.rev), 'completed');
  });

  test('a process that stops aborts its step; the next one goes on with what was kept', async () => {
    const begun = gate();
    const operations = await process(async ({ signal, keep }) => {
      await keep({ first: 41 });
      begun.open();
      await sleep(60_000, undefined, { signal });
    });
    const { id } = await operations.begin('init', `company-${names++}`, {}, 'operator:local');
    await begun.opened;
    await operations.stop();
    await refused(operations.begin('init', 'late', {}, 'operator:local'), 'SHUTTING_DOWN');
    const next = await process(async ({ memory }) => ({ first: memory.first + 1 }));
    const ended = await next.ended(id);
    assert.deepEqual([ended?.state, ended?.result], ['completed', { first: 42 }]);
  });

  test('an operation that another process took over is given up without a word', async () => {
    const aborted = gate();
    const held = gate();
    const operations = await process(async ({ signal }) => {
      signal.addEventListener('abort', () => aborted.open());
      await held.opened;
    });
    const { id } = await operations.begin('init', `company-${names++}`, {}, 'operator:local');
    const other = await process(async () => ({ first: 7 })); // embedded: it takes all that is under way
    await aborted.opened;
    held.open();
    await operations.stop();
    assert.deepEqual((await other.view(COORDINATOR, id, { afterRev: 99, waitMs: 50 })).result, { first: 7 });
  });

  test('what failed is resumed at the step that failed, or undone; neither while it runs nor twice', async () => {
    let luck = false;
    const undone: string[] = [];
    const operations = await process(async () => {
      if (!luck) throw new Error('no luck');
      return { first: 3 };
    });
    const instance = `company-${names++}`;
    const { id } = await operations.begin('init', instance, {}, 'operator:local');
    assert.equal((await operations.ended(id))?.state, 'failed');
    await refused(operations.undo(id, 'operator:local'), 'OPERATION_STATE');
    luck = true;
    await operations.resume(id, 'operator:local');
    assert.equal((await operations.ended(id))?.state, 'completed');
    await refused(operations.resume(id, 'operator:local'), 'OPERATION_STATE');
    await refused(operations.resume('none', 'operator:local'), 'OPERATION_NOT_FOUND');
    operations.define('init', {
      steps: ['first', 'second'].map((name) => ({
        name,
        run: async () => {},
        undo: async () => void undone.push(name),
      })),
      result: () => ({}),
    });
    await operations.undo(id, 'operator:local');
    assert.equal((await operations.ended(id))?.state, 'undone');
    assert.deepEqual(undone, ['second', 'first']);
  });
});

async function refused(call: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(call, (error) => isColmeiaError(error, code));
}

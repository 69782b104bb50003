import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../clock.ts';
import type { Scope } from '../store/store.ts';
import { startConsumer, type ConsumerOptions } from './consumer.ts';
import { JournalFeed } from './journal-feed.ts';
import { names, said, TestJournal, until } from './journal.testing.ts';

const log = (): void => undefined;

const journal = await TestJournal.open();
const { store } = journal;
after(() => store.close());

describe('startConsumer', () => {
  let feed: JournalFeed;
  let count = 0;
  let a: string;
  let b: string;
  let got: string[];
  const options = (more: Partial<ConsumerOptions> = {}): ConsumerOptions => ({
    store,
    feed,
    name: `consumer ${count}`,
    instances: () => [a, b],
    log,
    clock: systemClock,
    random: () => 0,
    deliver: async (events) => void got.push(...said(events)),
    ...more,
  });
  const cursors = async (): Promise<Record<string, number>> => {
    const scope: Scope = { as: 'engine' };
    const rows = await store.read(scope, (sql) =>
      sql.query('select instance, seq from consumer where name = $1 and instance = any($2)', [
        `consumer ${count}`,
        [a, b],
      ]),
    );
    return Object.fromEntries(rows.map((row) => [row.instance, row.seq]));
  };
  beforeEach(async () => {
    feed = new JournalFeed({ store, clock: systemClock, log });
    a = await journal.company(`ca${++count}`);
    b = await journal.company(`cb${count}`);
    got = [];
  });

  test('delivers what was there before, what comes, and after a restart only what is new', async () => {
    for (let i = 0; i < 3; i++) await journal.commit(a, 2);
    const first = startConsumer(options());
    await until(() => got.length === 6, 'the backlog');
    feed.publish([await journal.commit(b, 2)]);
    await until(() => got.length === 8, 'the new ones');
    await first.stop();
    assert.deepEqual(await cursors(), { [a]: 3, [b]: 1 });
    assert.equal(first.lag().rows, 0);
    await journal.commit(a, 1);
    const second = startConsumer(options());
    await until(() => got.length === 9, 'the one meanwhile');
    await second.stop();
    assert.deepEqual(got, [...names(a, 1, 6), ...names(b, 1, 2), `${a}/7`]);
  });

  test('keeps order and loses nothing while its receiver is away', async () => {
    let isAway = true;
    let tried = 0;
    const consumer = startConsumer(
      options({
        batchEvents: 10,
        deliver: async (events) => {
          tried++;
          if (isAway) throw new Error('away');
          got.push(...said(events));
        },
      }),
    );
    for (let i = 0; i < 30; i++) feed.publish([await journal.commit(a, 4)]);
    await until(() => tried >= 2, 'a second try');
    assert.ok(consumer.lag().rows > 0);
    assert.ok(consumer.lag().ageMs > 0);
    isAway = false;
    await until(() => got.length === 120, 'everything');
    assert.deepEqual(got, names(a, 1, 120));
    await consumer.stop();
    assert.deepEqual(await cursors(), { [a]: 30 });
  });

  test('writes its cursors when it comes to rest, without a stop', async () => {
    const consumer = startConsumer(options());
    feed.publish([await journal.commit(a, 1)]);
    await until(() => got.length === 1, 'the event');
    await sleep(400);
    assert.deepEqual(await cursors(), { [a]: 1 });
    journal.reads = 0;
    await sleep(400);
    assert.equal(journal.reads, 0, 'at rest it asks nothing');
    await consumer.stop();
  });

  test('delivers what it wants, and counts the rest as done', async () => {
    const consumer = startConsumer(options({ wants: ({ type }) => type === 'wanted' }));
    feed.publish([await journal.commit(a, 3)]);
    await until(async () => (await cursors())[a] === 1, 'the cursor');
    await consumer.stop();
    assert.deepEqual(got, []);
    const other = startConsumer(options({ wants: ({ type }) => type !== 'wanted' }));
    feed.publish([await journal.commit(a, 2)]);
    await until(() => got.length === 2, 'the events that are wanted');
    await other.stop();
    assert.deepEqual(got, [`${a}/4`, `${a}/5`]);
  });

  test('asks the journal for nothing that this process has just committed', async () => {
    const consumer = startConsumer(options());
    feed.publish([await journal.commit(a, 1)]);
    await until(() => got.length === 1, 'the first event');
    const row = await journal.commit(a, 2);
    journal.reads = 0;
    feed.publish([row]);
    await until(() => got.length === 3, 'the events');
    await sleep(50);
    assert.equal(journal.reads, 0);
    await consumer.stop();
  });

  test('begins now when asked to, but loses nothing of a company that is made later', async () => {
    await journal.commit(a, 5);
    const consumer = startConsumer(options({ from: 'now' }));
    await sleep(50);
    assert.deepEqual(got, []);
    feed.publish([await journal.commit(a, 1)]);
    await until(() => got.length === 1, 'the new event');
    await consumer.stop();
    b = await journal.company(`later${count}`);
    await journal.commit(b, 2);
    const again = startConsumer(options({ from: 'now' }));
    await until(() => got.length === 3, 'those of the new company');
    await again.stop();
    assert.deepEqual(got, [`${a}/6`, ...names(b, 1, 2)]);
  });

  test('takes over companies when told, and leaves those that went', async () => {
    let ours = [a];
    const consumer = startConsumer(options({ instances: () => ours }));
    await journal.commit(b, 2);
    await sleep(20);
    ours = [b];
    consumer.refresh();
    await until(() => got.length === 2, 'what waited in the other company');
    feed.publish([await journal.commit(a, 1)]);
    await sleep(30);
    assert.deepEqual(got, names(b, 1, 2));
    await consumer.stop();
  });

  test('aborts a delivery that outlasts the grace', async () => {
    let isAborted = false;
    const consumer = startConsumer(
      options({
        deliver: (_, signal) =>
          new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => ((isAborted = true), reject(new Error('aborted')))),
          ),
      }),
    );
    feed.publish([await journal.commit(a, 1)]);
    await sleep(30);
    await consumer.stop(50);
    assert.equal(isAborted, true);
    assert.deepEqual(await cursors(), {});
  });
});

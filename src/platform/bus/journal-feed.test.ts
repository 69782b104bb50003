import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { isColmeiaError } from '../errors.ts';
import { systemClock } from '../clock.ts';
import { openStore } from '../store/open-store.ts';
import type { Scope, Store } from '../store/store.ts';
import { startConsumer, type ConsumerOptions } from './consumer.ts';
import { JournalFeed, type FeedQuery, type StreamedEvent } from './journal-feed.ts';
import { TestJournal } from './journal.testing.ts';

const ALL: FeedQuery = { scope: { as: 'coordinator' }, instance: null };
const log = (): void => undefined;

let store: Store;
let journal: TestJournal;
/** Reads of the database since the last look. */
let reads = 0;

before(async () => {
  const real = await openStore({ databaseUrl: null, dataFolder: null });
  const read: Store['read'] = (scope, work) => (reads++, real.read(scope, work));
  store = new Proxy(real, {
    get: (target, name) =>
      name === 'read'
        ? read
        : typeof target[name as 'close'] === 'function'
          ? target[name as 'close'].bind(target)
          : target[name as 'close'],
  });
  journal = new TestJournal(store);
});
after(() => store.close());

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let waited = 0; !(await isSo()); waited += 5) {
    if (waited > 5_000) assert.fail(`still waiting: ${what}`);
    await sleep(5);
  }
}

const said = (events: readonly { instance: string; n: number }[]): string[] =>
  events.map((event) => `${event.instance}/${event.n}`);
const names = (instance: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${instance}/${from + i}`);

describe('JournalFeed', () => {
  let feed: JournalFeed;
  let a: string;
  let b: string;
  let count = 0;
  beforeEach(async () => {
    feed = new JournalFeed({ store, clock: systemClock, log, slowAfterMs: 60 });
    a = await journal.company(`a${++count}`);
    b = await journal.company(`b${count}`);
  });

  test('hands over what is committed from now on, in order, without a query', async () => {
    await journal.commit(a, 3);
    const got: StreamedEvent[] = [];
    const stop = await feed.subscribe(ALL, (event) => void got.push(event));
    reads = 0;
    for (let i = 0; i < 5; i++) feed.publish([await journal.commit(a, 2), await journal.commit(b, 1)]);
    await until(() => got.length === 15, '15 events');
    assert.deepEqual(said(got.filter((event) => event.instance === a)), names(a, 4, 13));
    assert.deepEqual(said(got.filter((event) => event.instance === b)), names(b, 1, 5));
    assert.equal(reads, 0);
    assert.deepEqual([got[0].at instanceof Date, got[0].seq], [true, 2]);
    stop();
    feed.publish([await journal.commit(a, 1)]);
    await sleep(20);
    assert.equal(got.length, 15);
    assert.equal(feed.readers, 0);
  });

  test('goes on exactly behind any event of a company', async () => {
    for (let i = 0; i < 4; i++) await journal.commit(a, 3);
    const all: StreamedEvent[] = [];
    await feed.subscribe({ ...ALL, instance: a, after: `0:${a}:1.0` }, (event) => void all.push(event));
    await until(() => all.length === 11, 'all but the first');
    assert.deepEqual(said(all), names(a, 2, 12));
    for (const [i, { id }] of all.entries()) {
      const got: StreamedEvent[] = [];
      const stop = await feed.subscribe(
        { scope: { as: 'company', instance: a }, instance: null, after: id },
        (event) => void got.push(event),
      );
      feed.publish([]);
      await until(() => got.length >= 10 - i, 'the rest');
      assert.deepEqual(said(got), names(a, i + 3, 12));
      stop();
    }
  });

  test('reads pages of the journal when it is far behind, and meets the live events without a gap', async () => {
    for (let i = 0; i < 450; i++) await journal.commit(a, 1);
    const got: StreamedEvent[] = [];
    await feed.subscribe({ ...ALL, instance: a, after: `0:${a}:1.0` }, (event) => void got.push(event));
    for (let i = 0; i < 50; i++) {
      feed.publish([await journal.commit(a, 1)]);
      await sleep(1);
    }
    await until(() => got.length >= 499, '499 events');
    assert.deepEqual(said(got), names(a, 2, 500));
  });

  test('an operator comes back to all companies, the named one exactly, the others at least', async () => {
    const first: StreamedEvent[] = [];
    const stop = await feed.subscribe(ALL, (event) => void first.push(event));
    for (let i = 0; i < 6; i++) {
      feed.publish([await journal.commit(a, 2)]);
      feed.publish([await journal.commit(b, 2)]);
    }
    await until(() => first.length === 24, '24 events');
    stop();
    for (let i = 0; i < 3; i++) await journal.commit(b, 1);
    for (const last of first) {
      const seen = first.slice(0, first.indexOf(last) + 1);
      const again: StreamedEvent[] = [];
      const stopAgain = await feed.subscribe({ ...ALL, after: last.id }, (event) => void again.push(event));
      const whole = new Set([...names(a, 1, 12), ...names(b, 1, 15)]);
      await until(() => new Set([...said(seen), ...said(again)]).size >= whole.size, `all after ${last.id}`);
      const own = again.filter((event) => event.instance === last.instance);
      assert.deepEqual(said(own), names(last.instance, last.n + 1, last.instance === a ? 12 : 15));
      stopAgain();
    }
  });

  test('an id given while another company is behind brings that one back', async () => {
    let reversed = false;
    // whichever company is read first, in one of the two histories it is the older one
    for (const suffix of ['x', 'y']) {
      const pair = [await journal.company(`left${suffix}`), await journal.company(`right${suffix}`)];
      const [early, late] = reversed ? pair.toReversed() : pair;
      reversed = true;
      const from = Date.now() - 1;
      for (let i = 0; i < 250; i++) await journal.commit(early, 1);
      await sleep(2);
      for (let i = 0; i < 250; i++) await journal.commit(late, 1);
      const got: StreamedEvent[] = [];
      const stop = await feed.subscribe({ ...ALL, after: `${from}:${b}:0.0` }, (event) => {
        if (got.push(event) === 300) stop();
      });
      await until(() => got.length === 300, 'a part');
      const rest: StreamedEvent[] = [];
      await feed.subscribe({ ...ALL, after: got[299].id }, (event) => void rest.push(event));
      const whole = new Set([...names(early, 1, 250), ...names(late, 1, 250)]);
      const seen = (): Set<string> => new Set([...said(got), ...said(rest)].filter((name) => whole.has(name)));
      await until(() => seen().size === whole.size, 'everything');
    }
  });

  test('gives a company, and a plan, only what is its own', async () => {
    const mine: StreamedEvent[] = [];
    const plan: StreamedEvent[] = [];
    await feed.subscribe({ scope: { as: 'company', instance: a }, instance: null }, (event) => void mine.push(event));
    await feed.subscribe({ ...ALL, planId: 'p2' }, (event) => void plan.push(event));
    feed.publish([await journal.commit(b, 3), await journal.commit(a, 3)]);
    await until(() => mine.length === 3 && plan.length === 2, 'its events');
    assert.deepEqual(said(mine), names(a, 1, 3));
    assert.deepEqual(new Set(said(plan)), new Set([`${a}/2`, `${b}/2`]));
    const spying = feed.subscribe({ scope: { as: 'company', instance: a }, instance: b }, () => undefined);
    await assert.rejects(spying, (error) => isColmeiaError(error, 'INSTANCE_NOT_FOUND'));
    const peeking: StreamedEvent[] = [];
    await assert.rejects(
      feed.subscribe(
        { scope: { as: 'company', instance: a }, instance: null, after: `0:${b}:1.0` },
        (event) => void peeking.push(event),
      ),
    );
    await assert.rejects(
      feed.subscribe({ ...ALL, after: '; drop' }, () => undefined),
      (error) => isColmeiaError(error, 'INVALID_REQUEST'),
    );
  });

  test('finds a company that is made while it listens', async () => {
    const got: StreamedEvent[] = [];
    await feed.subscribe(ALL, (event) => void got.push(event));
    const fresh = await journal.company(`fresh${count}`);
    await journal.commit(fresh, 1);
    feed.publish([await journal.commit(fresh, 1)]);
    await until(() => got.length === 2, 'both events');
    assert.deepEqual(said(got), names(fresh, 1, 2));
  });

  test('a slow or failing reader is let go and harms nobody', async () => {
    const closed: string[] = [];
    const got: StreamedEvent[] = [];
    await feed.subscribe(
      ALL,
      () => sleep(500),
      (reason) => closed.push(reason),
    );
    await feed.subscribe(
      ALL,
      () => {
        throw new Error('broken');
      },
      (reason) => closed.push(reason),
    );
    await feed.subscribe(ALL, (event) => void got.push(event));
    for (let i = 0; i < 20; i++) feed.publish([await journal.commit(a, 10)]);
    await until(() => got.length === 200 && closed.length === 2, 'the good reader');
    assert.deepEqual(closed.sort(), ['failed', 'slow']);
    assert.equal(feed.readers, 1);
    await feed.stop();
    assert.equal(feed.readers, 0);
  });

  test('what outgrows the memory for all readers comes from the journal', async () => {
    const small = new JournalFeed({ store, clock: systemClock, log, keepEvents: 10 });
    const got: StreamedEvent[] = [];
    await small.subscribe(ALL, (event) => void got.push(event));
    for (let i = 0; i < 4; i++) small.publish([await journal.commit(a, 2)]);
    const rows = [];
    for (let i = 0; i < 30; i++) rows.push(await journal.commit(a, 3));
    small.publish(rows);
    await until(() => got.length === 98, '98 events');
    assert.deepEqual(said(got), names(a, 1, 98));
  });

  test('replicas wake each other, in the order of the journal', async () => {
    const asServer = new Proxy(store, {
      get: (target, name) => (name === 'tier' ? 'server' : target[name as 'close']),
    });
    const [one, two] = ['one', 'two'].map(
      (replica) => new JournalFeed({ store: asServer, clock: systemClock, log, replica }),
    );
    await one.start();
    await two.start();
    const here: StreamedEvent[] = [];
    const there: StreamedEvent[] = [];
    await one.subscribe(ALL, (event) => void here.push(event));
    await two.subscribe(ALL, (event) => void there.push(event));
    await two.subscribe({ ...ALL, instance: b }, () => undefined);
    for (let i = 0; i < 10; i++) {
      one.publish([await journal.commit(a, 1)]);
      two.publish([await journal.commit(b, 1)]);
    }
    await until(() => here.length === 20 && there.length === 20, '20 events at both');
    for (const got of [here, there]) {
      assert.deepEqual(said(got.filter((event) => event.instance === a)), names(a, 1, 10));
      assert.deepEqual(said(got.filter((event) => event.instance === b)), names(b, 1, 10));
    }
    await Promise.all([one.stop(), two.stop()]);
  });
});

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
    reads = 0;
    await sleep(400);
    assert.equal(reads, 0, 'at rest it asks nothing');
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
    reads = 0;
    feed.publish([row]);
    await until(() => got.length === 3, 'the events');
    await sleep(50);
    assert.equal(reads, 0);
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

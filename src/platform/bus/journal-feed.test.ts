import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isColmeiaError } from '../errors.ts';
import { systemClock } from '../clock.ts';
import { JournalFeed, type FeedQuery, type StreamedEvent } from './journal-feed.ts';
import { names, said, TestJournal, until } from './journal.testing.ts';

const ALL: FeedQuery = { scope: { as: 'coordinator' }, instance: null };
const log = (): void => undefined;

const journal = await TestJournal.open();
const { store } = journal;
after(() => store.close());

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
    journal.reads = 0;
    for (let i = 0; i < 5; i++) feed.publish([await journal.commit(a, 2), await journal.commit(b, 1)]);
    await until(() => got.length === 15, '15 events');
    assert.deepEqual(said(got.filter((event) => event.instance === a)), names(a, 4, 13));
    assert.deepEqual(said(got.filter((event) => event.instance === b)), names(b, 1, 5));
    assert.equal(journal.reads, 0);
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

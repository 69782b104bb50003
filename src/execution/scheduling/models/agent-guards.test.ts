import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AgentGuards, type GuardedOutcome } from './agent-guards.ts';

const RUN_MS = 10;

/** One attempt after the other, each 10 ms; returns the time after them. */
function attempts(
  guards: AgentGuards,
  times: number,
  outcome: Partial<GuardedOutcome> & { agent: string },
  from: number,
): number {
  for (let n = 0; n < times; n++) {
    guards.began(outcome.agent, from + n * RUN_MS);
    end(guards, { ...outcome, at: from + (n + 1) * RUN_MS });
  }
  return from + times * RUN_MS;
}

function end(guards: AgentGuards, outcome: Partial<GuardedOutcome> & { agent: string; at: number }): void {
  guards.ended({ type: 'BUILD', errorClass: null, logRatio: 0, retryAfterMs: null, ...outcome });
}

function fleet(agents: Record<string, { concurrency?: number; labels?: Record<string, string> }>): AgentGuards {
  const guards = new AgentGuards();
  for (const [key, more] of Object.entries(agents)) guards.setAgent(agentOf(key, more));
  return guards;
}

const agentOf = (key: string, more: Partial<Parameters<AgentGuards['setAgent']>[0]> = {}) => ({
  key,
  instance: null,
  taskTypes: new Set(['BUILD']),
  concurrency: 1,
  labels: {},
  ...more,
});

const allows = (guards: AgentGuards, agent: string, now: number, type = 'BUILD'): boolean =>
  guards.guardOf(agent, type, now).allows;

/** A server that can do `slots` at once, always given as many as it may get; returns the limit at each end. */
function saturate(guards: AgentGuards, agent: string, slots: number, completions: number): number[] {
  const limits: number[] = [];
  let inflight = 0;
  for (let n = 0; n < completions; n++) {
    while (inflight < guards.guardOf(agent, 'BUILD', n).limit) {
      guards.began(agent, n);
      inflight++;
    }
    end(guards, { agent, at: n, logRatio: Math.log(Math.max(1, inflight / slots)) });
    inflight--;
    limits.push(guards.guardOf(agent, 'BUILD', n).limit);
  }
  return limits;
}

describe('adaptive limit of an agent', () => {
  test('an agent that lies about its capacity comes down to what it can do, and stays there', () => {
    const guards = fleet({ liar: { concurrency: 100 } });
    const limits = saturate(guards, 'liar', 1, 2_000);
    assert.equal(limits[0] > 50, true);
    assert.ok(Math.max(...limits.slice(200)) <= 3, String(Math.max(...limits.slice(200))));
    assert.match(guards.guardOf('liar', 'BUILD', 0).why!, /the more it does at once/);
  });

  test('an agent keeps about the slots that it really has', () => {
    const limits = saturate(fleet({ ten: { concurrency: 40 } }), 'ten', 10, 3_000).slice(1_000);
    const mean = limits.reduce((sum, limit) => sum + limit, 0) / limits.length;
    assert.ok(mean >= 9 && mean <= 22, String(mean));
  });

  test('an agent that can do what it says keeps all its slots, also when it is slow', () => {
    const guards = fleet({ honest: { concurrency: 8 }, slow: { concurrency: 8 } });
    assert.equal(saturate(guards, 'honest', 8, 500).at(-1), 8);
    for (let n = 0; n < 3_000; n++) {
      while (guards.report('slow', n)!.inflight < guards.guardOf('slow', 'BUILD', n).limit) guards.began('slow', n);
      end(guards, { agent: 'slow', at: n, logRatio: Math.log(4) });
    }
    assert.equal(guards.guardOf('slow', 'BUILD', 0).limit, 8);
  });

  test('timeouts lower it, successes bring it back, and it is never below 1', () => {
    const guards = fleet({ a: { concurrency: 10 } });
    let at = attempts(guards, 3, { agent: 'a', errorClass: 'timeout' }, 0);
    assert.equal(guards.guardOf('a', 'BUILD', at).limit, 5);
    at = attempts(guards, 1, { agent: 'a' }, at);
    for (let n = 0; n < 100; n++) end(guards, { agent: 'a', at, errorClass: 'timeout' });
    assert.equal(guards.guardOf('a', 'BUILD', at).limit, 1);
    saturate(guards, 'a', 10, 500);
    assert.equal(guards.guardOf('a', 'BUILD', 1e9).limit, 10);
  });
});

describe('circuit breakers', () => {
  test('five failures in a row open it, one probe is let through, and its success closes it', () => {
    const guards = fleet({ a: {} });
    let at = attempts(guards, 4, { agent: 'a', errorClass: 'transient' }, 0);
    assert.equal(allows(guards, 'a', at), true);
    at = attempts(guards, 1, { agent: 'a', errorClass: 'transient' }, at);
    assert.equal(allows(guards, 'a', at), false);
    assert.match(guards.guardOf('a', 'BUILD', at).why!, /circuit is open/);
    assert.equal(allows(guards, 'a', at + 9_999), false);
    at += 10_000;
    assert.equal(allows(guards, 'a', at), true);
    guards.began('a', at);
    assert.equal(allows(guards, 'a', at), false);
    end(guards, { agent: 'a', at: at + 1 });
    assert.equal(allows(guards, 'a', at + 1), true);
    assert.equal(guards.report('a', at + 1)!.breaker, 'closed');
  });

  /** How long it is open after five failures, and after each probe that fails. */
  function waitsOf(guards: AgentGuards): number[] {
    let at = attempts(guards, 5, { agent: 'a', errorClass: 'auth' }, 0);
    return Array.from({ length: 8 }, () => {
      const until = guards.report('a', at)!.openUntil!;
      const wait = until - at;
      at = attempts(guards, 1, { agent: 'a', errorClass: 'auth' }, until);
      return wait;
    });
  }

  test('each probe that fails makes it wait twice as long, up to a bound', () => {
    const waits = waitsOf(fleet({ a: {}, b: {} }));
    assert.deepEqual(waits.slice(0, 4), [10_000, 20_000, 40_000, 80_000]);
    assert.deepEqual(waits.slice(-2), [300_000, 300_000]);
  });

  test('one that nobody stands in for waits no longer each time, nor does its endpoint', () => {
    const alone = fleet({ a: { labels: { endpoint: 'e' } } });
    alone.setAgent(agentOf('tests-only', { taskTypes: new Set(['TEST']) }));
    alone.setAgent(agentOf('b', { instance: 'other-company' }));
    assert.deepEqual(waitsOf(alone), Array(8).fill(10_000));
    let at = 1_000_000;
    for (let n = 0; n < 9; n++) at = attempts(alone, 1, { agent: 'a', errorClass: 'auth' }, at);
    assert.equal(allows(alone, 'a', at + 10_000), true);
    alone.setAgent(agentOf('peer'));
    attempts(alone, 1, { agent: 'a', errorClass: 'auth' }, at + 10_000);
    assert.equal(allows(alone, 'a', at + 21_000), false, 'now another can do it');
  });

  test('an agent of a company and one for all stand in for each other there', () => {
    const guards = fleet({ shared: {} });
    guards.setAgent(agentOf('a', { instance: 'acme' }));
    assert.deepEqual(waitsOf(guards).slice(0, 2), [10_000, 20_000]);
    guards.removeAgent('shared');
    const at = attempts(guards, 1, { agent: 'a', errorClass: 'auth' }, 1e9);
    assert.equal(guards.report('a', at)!.openUntil, at + 10_000);
  });

  test('a half-open agent with many slots gets one ticket more, not all of them', () => {
    const guards = fleet({ a: { concurrency: 50 } });
    const at = attempts(guards, 5, { agent: 'a', errorClass: 'transient' }, 0) + 10_000;
    assert.equal(guards.guardOf('a', 'BUILD', at).limit, 1);
  });

  test('a probe that is given back, or never answered, is followed by another', () => {
    const guards = fleet({ a: {} });
    const at = attempts(guards, 5, { agent: 'a', errorClass: 'transient' }, 0) + 10_000;
    guards.began('a', at);
    guards.released('a');
    assert.equal(allows(guards, 'a', at), true);
    guards.began('a', at);
    assert.equal(allows(guards, 'a', at + 599_999), false);
    assert.equal(allows(guards, 'a', at + 600_000), true);
  });

  test('a share of failures opens it too, when there is no row of them', () => {
    const guards = fleet({ a: {} });
    let at = 0;
    for (let n = 0; n < 30 && allows(guards, 'a', at); n++) {
      at = attempts(guards, 3, { agent: 'a', errorClass: 'transient' }, at);
      if (allows(guards, 'a', at)) at = attempts(guards, 1, { agent: 'a' }, at);
    }
    assert.equal(allows(guards, 'a', at), false);
  });

  test('poison is the ticket’s fault and opens nothing', () => {
    const guards = fleet({ a: {} });
    const at = attempts(guards, 50, { agent: 'a', errorClass: 'poison' }, 0);
    assert.equal(allows(guards, 'a', at), true);
  });

  test('a used-up quota closes the way to the provider until then, for all its agents and for no other', () => {
    const labels = { provider: 'models' };
    const guards = fleet({ a: { labels }, b: { labels }, c: {} });
    guards.began('a', 0);
    end(guards, { agent: 'a', at: 1_000, errorClass: 'quota', retryAfterMs: 60_000 });
    assert.deepEqual(
      ['a', 'b', 'c'].map((agent) => allows(guards, agent, 60_999)),
      [false, false, true],
    );
    assert.match(guards.guardOf('b', 'BUILD', 2_000).why!, /quota/);
    guards.began('b', 2_000);
    end(guards, { agent: 'b', at: 2_500 }); // began before, so it brings nothing back
    assert.equal(allows(guards, 'b', 60_999), false);
    assert.equal(allows(guards, 'b', 61_000), true);
    guards.began('b', 61_000);
    end(guards, { agent: 'b', at: 62_000 });
    assert.equal(allows(guards, 'a', 62_000), true);
  });

  test('one bad agent does not close the endpoint to the others; when all fail it closes', () => {
    const labels = { endpoint: 'https://x' };
    const names = ['a', 'b', 'c', 'd'];
    const guards = fleet(Object.fromEntries(names.map((name) => [name, { labels }])));
    let at = attempts(guards, 5, { agent: 'a', errorClass: 'transient' }, 0);
    assert.deepEqual(
      names.map((name) => allows(guards, name, at)),
      [false, true, true, true],
    );
    for (const agent of ['b', 'c', 'd']) at = attempts(guards, 4, { agent, errorClass: 'transient' }, at);
    assert.equal(allows(guards, 'd', at), false);
    assert.match(guards.guardOf('d', 'BUILD', at).why!, /endpoint/);
  });
});

describe('outlier ejection', () => {
  const names = Array.from({ length: 20 }, (_, n) => `agent-${n}`);
  const well = (guards: AgentGuards, from: number, rounds: number, bad: readonly string[]): number => {
    let at = from;
    for (let n = 0; n < rounds; n++)
      for (const agent of names.filter((name) => allows(guards, name, at)))
        at = attempts(guards, 1, { agent, errorClass: bad.includes(agent) && n % 4 !== 0 ? 'transient' : null }, at);
    return at;
  };
  const ejected = (guards: AgentGuards, now: number): string[] => guards.ejected(now).map(({ agent }) => agent);

  test('who fails far more than its peers loses the type, and no other type', () => {
    const guards = fleet(Object.fromEntries(names.map((name) => [name, {}])));
    const at = well(guards, 0, 12, ['agent-3']);
    assert.deepEqual(ejected(guards, at), ['agent-3']);
    assert.equal(allows(guards, 'agent-3', at), false);
    assert.equal(allows(guards, 'agent-3', at, 'TEST'), true);
    assert.equal(allows(guards, 'agent-4', at), true);
  });

  test('at most a tenth of the agents are ejected, however many are bad', () => {
    const guards = fleet(Object.fromEntries(names.map((name) => [name, {}])));
    let at = 0;
    for (let n = 0; n < 12; n++) {
      at = well(guards, at, 4, names.slice(0, 5));
      assert.ok(ejected(guards, at).length <= 2);
    }
    assert.equal(ejected(guards, at).length, 2);
  });

  test('when all fail alike nobody is an outlier, and a lone agent is never ejected', () => {
    const guards = fleet(Object.fromEntries(names.map((name) => [name, {}])));
    let at = 0;
    for (let n = 0; n < 20; n++)
      for (const agent of names) at = attempts(guards, 1, { agent, errorClass: n % 2 === 0 ? 'transient' : null }, at);
    assert.deepEqual(ejected(guards, at), []);
    const alone = fleet({ a: {} });
    at = attempts(alone, 50, { agent: 'a', errorClass: 'poison' }, 0);
    assert.deepEqual(ejected(alone, at), []);
  });

  test('after its time it is on probation: a few failures eject it for longer, successes clear it', () => {
    const guards = fleet(Object.fromEntries(names.map((name) => [name, {}])));
    let at = well(guards, 0, 12, ['agent-3']);
    const until = (): number => guards.ejected(at)[0].until;
    at = until();
    assert.equal(allows(guards, 'agent-3', at), true);
    at = attempts(guards, 3, { agent: 'agent-3', errorClass: 'transient' }, at);
    const second = until() - at;
    assert.equal(second, 60_000);
    at = until();
    at = attempts(guards, 60, { agent: 'agent-3' }, at);
    at = attempts(guards, 3, { agent: 'agent-3', errorClass: 'transient' }, at);
    assert.deepEqual(ejected(guards, at), []);
  });
});

describe('guards', () => {
  test('an agent that goes and comes back is still what it was', () => {
    const guards = fleet({ a: { concurrency: 10 } });
    let at = attempts(guards, 5, { agent: 'a', errorClass: 'timeout' }, 0);
    guards.removeAgent('a');
    guards.setAgent(agentOf('a', { concurrency: 10 }));
    assert.equal(allows(guards, 'a', at), false);
    at += 10_000;
    attempts(guards, 1, { agent: 'a' }, at);
    assert.ok(guards.guardOf('a', 'BUILD', at + 2_000).limit < 5);
  });

  test('nothing known: everything is allowed', () => {
    assert.deepEqual({ ...new AgentGuards().guardOf('x', 'BUILD', 0) }, { allows: true, limit: Infinity, why: null });
  });

  test('a snapshot brings back limits, circuits and ejections, and a strange one harms nothing', () => {
    const guards = fleet({ a: { concurrency: 10, labels: { provider: 'p' } }, b: {} });
    for (let n = 0; n < 5; n++) end(guards, { agent: 'a', at: 1_000, errorClass: 'timeout' });
    end(guards, { agent: 'b', at: 1_000, errorClass: 'quota', retryAfterMs: 5_000 });
    const again = new AgentGuards();
    again.restore(JSON.parse(JSON.stringify(guards.snapshot())));
    again.setAgent(agentOf('a', { concurrency: 10, labels: { provider: 'p' } }));
    again.setAgent(agentOf('b'));
    for (const agent of ['a', 'b'])
      for (const now of [2_000, 6_001, 20_000])
        assert.deepEqual({ ...again.guardOf(agent, 'BUILD', now) }, { ...guards.guardOf(agent, 'BUILD', now) });
    const strange = { version: 1, agents: [{ agent: 'a', limit: { limit: 'x' }, breaker: { openUntil: 'y' } }] };
    for (const one of [null, {}, strange]) {
      const fresh = new AgentGuards();
      fresh.restore(one as unknown as Parameters<AgentGuards['restore']>[0]);
      fresh.setAgent(agentOf('a', { concurrency: 3 }));
      assert.deepEqual({ ...fresh.guardOf('a', 'BUILD', 0) }, { allows: true, limit: 3, why: null });
    }
  });

  test('a clock that is put back an hour locks nobody out', () => {
    const hour = 3_600_000;
    const guards = fleet({ a: {}, b: {}, c: {}, d: {} });
    let at = 10 * hour;
    for (let n = 0; n < 12; n++)
      for (const agent of ['a', 'b', 'c', 'd'])
        at = attempts(guards, 1, { agent, errorClass: agent === 'a' ? 'poison' : null }, at);
    at = attempts(guards, 5, { agent: 'b', errorClass: 'transient' }, at);
    assert.deepEqual([allows(guards, 'a', at), allows(guards, 'b', at)], [false, false]);
    assert.deepEqual([allows(guards, 'a', at - hour), allows(guards, 'b', at - hour)], [true, true]);
  });

  test('whatever happens, limits are whole, at least 1 and at most the concurrency, and every agent gets its chance', () => {
    const step = fc.record({
      what: fc.constantFrom('began', 'ended', 'released', 'gone', 'back'),
      agent: fc.constantFrom('a', 'b', 'c'),
      errorClass: fc.constantFrom(null, 'transient', 'quota', 'auth', 'poison', 'timeout'),
      logRatio: fc.oneof(fc.constant(null), fc.double()),
      waitMs: fc.integer({ min: -100_000, max: 1e6 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const guards = fleet({
          a: { concurrency: 7 },
          b: { labels: { provider: 'p' } },
          c: { labels: { provider: 'p' } },
        });
        const concurrency: Record<string, number> = { a: 7, b: 1, c: 1 };
        let at = 1e9;
        for (const { what, agent, errorClass, logRatio, waitMs } of steps as (typeof steps)[number][]) {
          at += waitMs;
          if (what === 'began') guards.began(agent, at);
          else if (what === 'ended') end(guards, { agent, at, errorClass: errorClass as null, logRatio });
          else if (what === 'released') guards.released(agent);
          else if (what === 'gone') guards.removeAgent(agent);
          else guards.setAgent(agentOf(agent, { concurrency: concurrency[agent] }));
          const { limit } = guards.guardOf(agent, 'BUILD', at);
          assert.ok(Number.isInteger(limit) && limit >= 1 && limit <= concurrency[agent]);
        }
        for (const agent of ['a', 'b', 'c']) assert.equal(allows(guards, agent, at + 1e9), true);
      }),
      { numRuns: 300 },
    );
  });
});

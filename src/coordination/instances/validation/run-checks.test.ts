import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CheckRunner, type Check } from './run-checks.ts';
import { companyFault } from './validation-codes.ts';

const fault = (place: string) => companyFault('RLS_OFF', place, 'x');
const forever: Promise<never> = new Promise(() => {});

function runner(deadlineMs = 20): { runner: CheckRunner; errors: unknown[] } {
  const errors: unknown[] = [];
  return { runner: new CheckRunner({ deadlineMs, onError: (_, __, error) => errors.push(error) }), errors };
}

describe('CheckRunner', () => {
  it('finds what all checks find, in their order, and says how each came out', async () => {
    const checks: Check[] = [
      { name: 'a', run: async () => [fault('1'), fault('2')] },
      { name: 'b', run: async () => [] },
      { name: 'c', run: async () => ({ off: 'no credentials' }) },
      { name: 'd', run: async () => [companyFault('NOT_INITIALIZED', '3', 'x')] },
    ];
    const { faults, checks: done } = await runner(60_000).runner.run('acme', checks);
    assert.deepEqual(
      faults.map(({ place }) => place),
      ['1', '2', '3'],
    );
    assert.deepEqual(
      done.map(({ name, state, detail }) => [name, state, detail]),
      [
        ['a', 'failed', undefined],
        ['b', 'ok', undefined],
        ['c', 'off', 'no credentials'],
        ['d', 'ok', undefined],
      ],
    );
  });

  it('makes a fault of a check that hangs, tells it to stop, and waits for no other', async () => {
    let stopped = false;
    const hangs: Check = {
      name: 'hangs',
      run: (signal) => {
        signal.addEventListener('abort', () => (stopped = true));
        return forever;
      },
    };
    const { faults, checks } = await runner().runner.run('acme', [hangs, { name: 'b', run: async () => [fault('b')] }]);
    assert.deepEqual(
      faults.map(({ code, place }) => [code, place]),
      [
        ['CHECK_TIMEOUT', 'hangs'],
        ['RLS_OFF', 'b'],
      ],
    );
    assert.deepEqual([checks[0]!.state, stopped], ['failed', true]);
  });

  it('looks for itself once another look at the same has ended, which is no fault', async () => {
    const { runner: checks } = runner(60_000);
    const first = Promise.withResolvers<[]>();
    const looks: string[] = [];
    const slow: Check = { name: 'files', run: () => (looks.push('first'), first.promise) };
    const fresh: Check = { name: 'files', run: async () => (looks.push('second'), [fault('new')]) };
    const [one, two] = [checks.run('acme', [slow]), checks.run('acme', [fresh])];
    assert.deepEqual(looks, []);
    first.resolve([]);
    assert.deepEqual([(await one).faults, (await two).faults.map(({ code }) => code)], [[], ['RLS_OFF']]);
    assert.deepEqual(looks, ['first', 'second']);
  });

  it('begins no check again that still hangs, and does when it has come back', async () => {
    const { runner: checks } = runner();
    const { promise, resolve } = Promise.withResolvers<[]>();
    let begun = 0;
    const check: Check = { name: 'a', run: () => (begun++ === 0 ? promise : Promise.resolve([])) };
    await checks.run('acme', [check]);
    assert.deepEqual(
      (await checks.run('acme', [check])).faults.map(({ code }) => code),
      ['CHECK_TIMEOUT'],
    );
    assert.equal(begun, 1);
    await checks.run('other', [check]);
    assert.equal(begun, 2);
    resolve([]);
    await new Promise((done) => setImmediate(done));
    assert.deepEqual((await checks.run('acme', [check])).faults, []);
  });

  it('makes a fault of a check that breaks, without what its error says', async () => {
    const { runner: checks, errors } = runner();
    const broken: Check[] = [
      { name: 'a', run: () => Promise.reject(new Error('hunter2')) },
      {
        name: 'b',
        run: () => {
          throw Object.assign(new Error('hunter2'), { code: 'EACCES' });
        },
      },
    ];
    const { faults } = await checks.run('acme', broken);
    assert.deepEqual(
      faults.map(({ code, message }) => [code, message]),
      [
        ['CHECK_FAILED', 'the check broke: Error'],
        ['CHECK_FAILED', 'the check broke: EACCES'],
      ],
    );
    assert.equal(errors.length, 2);
  });

  it('lists so many faults of one check and says how many more there are', async () => {
    const many = Array.from({ length: 250 }, (_, n) => fault(`table ${n}`));
    const { faults } = await runner().runner.run('acme', [{ name: 'a', run: async () => many }]);
    assert.equal(faults.length, 100);
    assert.match(faults.at(-1)!.message, /151 more/);
  });
});

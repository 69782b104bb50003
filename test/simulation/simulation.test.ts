import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PLANTED_BUGS } from './planted-bugs.ts';
import { simulate, type Outcome } from './simulate.ts';

const again = ({ seed, violation }: Outcome, bug = ''): string =>
  `node test/simulation/run.ts --seed ${seed}${bug}\n${violation}`;

describe('the flow in a hostile world', () => {
  it('keeps every promise in 2,000 worlds of failing agents, commits, processes and owners', async () => {
    const ended: Record<string, number> = {};
    let copies = 0;
    for (let seed = 1; seed <= 2_000; seed++) {
      const outcome = await simulate(seed);
      assert.equal(outcome.violation, null, again(outcome));
      copies += outcome.copies;
      for (const [status, plans] of Object.entries(outcome.ended)) ended[status] = (ended[status] ?? 0) + plans;
    }
    assert.ok(copies >= 1_000, `only ${copies} copies were begun`);
    for (const status of ['completed', 'failed', 'compensated', 'cancelled', 'rejected']) {
      assert.ok(ended[status] >= 20, `only ${ended[status] ?? 0} plans ended ${status}: the worlds are too mild`);
    }
  });

  it('runs the same world for the same seed', async () => {
    for (const seed of [3, 14, 159]) assert.deepEqual(await simulate(seed), await simulate(seed));
  });

  for (const [name, { within, ...plant }] of Object.entries(PLANTED_BUGS)) {
    it(`finds a planted bug: ${name}`, async () => {
      for (let seed = 1; seed <= within; seed++) {
        if ((await simulate(seed, plant)).violation !== null) return;
      }
      assert.fail(`not found in ${within} seeds`);
    });
  }
});

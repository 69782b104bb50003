import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { adaptive as adaptiveOnOptima, meanOverOptimum } from '../../bench/known-optima.ts';
import { adaptive, ratioOf } from '../../bench/makespan.ts';
import { recordedWork } from '../../bench/simulated/recorded-work.ts';
import { figuresOf, schedulerFor } from '../../bench/tenants.ts';
import { policyOf } from '../../src/execution/scheduling/policy.ts';

const work = await recordedWork();

/** A small part of the benches makespan, known-optima and tenants: virtual time, so the same figures on every machine. */
describe('the scheduler on recorded work', { skip: work === null ? 'there is no ../shared/data' : false }, () => {
  test('is within 2 % of proven optima when estimates are right', () => {
    const ratio = meanOverOptimum(work!.graphs.slice(0, 40), adaptiveOnOptima);
    assert.ok(ratio < 1.02, `${ratio}`);
  });

  test('ends workflows near their lower bound on fleets alike, related and unrelated', () => {
    const small = work!.workflows.filter(({ tasks }) => tasks.length < 700);
    for (const [fleet, most] of [
      ['homo16', 1.1],
      ['related16', 1.35],
      ['unrelated16', 1.4],
    ] as const) {
      const ratio = ratioOf(work!, fleet, adaptive, small);
      assert.ok(ratio < most, `${fleet}: ${ratio}`);
    }
  });

  test('keeps the deadlines of gold companies and their shares when a noisy company floods the fleet', () => {
    const graphs = work!.graphs.slice(0, 60);
    const { all, gold, jain } = figuresOf(graphs, { load: 1.2, hostile: true }, 1, () =>
      schedulerFor(policyOf('adaptive')),
    );
    assert.ok(gold <= 4, `gold missed ${gold} %`);
    assert.ok(all <= 55, `missed ${all} %`);
    assert.ok(jain >= 0.97, `Jain ${jain}`);
  });
});

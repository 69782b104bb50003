import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { simulatedSpec } from '../simulation/scenario.ts';
import { gauss, seededRandom } from '../simulation/seeded-random.ts';
import { Knowledge } from './knowledge.ts';

describe('knowledge', () => {
  it('tells slow tasks from slow agents, and stays with it however long it learns', () => {
    const random = seededRandom(1);
    const knowledge = new Knowledge(random);
    const medians = [5_000, 20_000, 60_000];
    const factors = [0.5, 1, 2];
    const mean = Math.exp(0.8 ** 2 / 2);
    for (let i = 0; i < 3_000; i++) {
      const [task, agent] = [i % 3, Math.floor(random() * 3)];
      const spec = simulatedSpec(`type-${task}`);
      knowledge.observe({
        at: 1.7e12 + i * 1_000,
        instance: 'acme',
        plan: i,
        n: 0,
        type: `type-${task}`,
        spec,
        agent: `agent-${agent}`,
        durationMs: medians[task] * factors[agent] * Math.exp(0.8 * gauss(random)),
        result: 'completed',
        errorClass: null,
        retryAfterMs: null,
        slackMs: 0,
      });
    }
    const now = 1.7e12 + 3_000_000;
    medians.forEach((median, task) => {
      const type = `type-${task}`;
      const ratio = knowledge.base(simulatedSpec(type), 'acme') / (median * mean);
      assert.ok(ratio > 0.5 && ratio < 2, `${type}: expected ${ratio} × what it takes`);
      const [fast, plain, slow] = factors.map((_, agent) => knowledge.factor(type, `agent-${agent}`, now));
      assert.ok(fast < 0.85 * plain && plain < 0.85 * slow, `${type}: ${fast}, ${plain}, ${slow}`);
      assert.ok(plain > 0.5 && plain < 2, `${type}: ${plain}`);
    });
  });
});

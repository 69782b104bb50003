import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Outcome } from '../outcome.ts';
import { schedulerAgent } from '../sample-agent.testing.ts';
import { simulatedSpec } from '../simulation/scenario.ts';
import { gauss, seededRandom } from '../simulation/seeded-random.ts';
import { Knowledge } from './knowledge.ts';

const completed = (type: string, agent: string, at: number, durationMs: number): Outcome => ({
  at,
  instance: 'acme',
  plan: 0,
  n: 0,
  type,
  spec: simulatedSpec(type),
  agent,
  durationMs,
  result: 'completed',
  errorClass: null,
  isLost: false,
  retryAfterMs: null,
  slackMs: 0,
});

describe('knowledge', () => {
  it('tells slow tasks from slow agents, and stays with it however long it learns', () => {
    const random = seededRandom(1);
    const knowledge = new Knowledge(random);
    const medians = [5_000, 20_000, 60_000];
    const factors = [0.5, 1, 2];
    const mean = Math.exp(0.8 ** 2 / 2);
    for (let i = 0; i < 3_000; i++) {
      const [task, agent] = [i % 3, Math.floor(random() * 3)];
      const durationMs = medians[task] * factors[agent] * Math.exp(0.8 * gauss(random));
      knowledge.observe(completed(`type-${task}`, `agent-${agent}`, 1.7e12 + i * 1_000, durationMs));
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

  it('blames no agent for a first guess that was wrong by orders of magnitude', () => {
    const knowledge = new Knowledge(seededRandom(1));
    knowledge.observe(completed('unheard-of', 'unlucky', 1.7e12, 7_200_000));
    assert.ok(knowledge.factor('unheard-of', 'unlucky', 1.7e12) < 2);
  });

  it('does not hold against agents what several lose at once, but what one keeps losing', () => {
    const AT = 1.7e12;
    const agents = ['a', 'b', 'c', 'd'];
    const open = (losses: readonly { agent: string; at: number }[]): string[] => {
      const knowledge = new Knowledge(seededRandom(1));
      for (const key of agents) knowledge.setAgent(schedulerAgent({ key, concurrency: 8 }));
      for (const { agent, at } of losses) {
        knowledge.guards.began(agent, at - 30_000);
        const lost = { result: 'failed', errorClass: 'timeout', isLost: true } as const;
        knowledge.observe({ ...completed('BUILD', agent, at, 30_000), ...lost });
        assert.equal(knowledge.guards.report(agent, at)!.inflight, 0);
      }
      return agents.filter((agent) => knowledge.guards.report(agent, AT)!.breaker !== 'closed');
    };
    const outage = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => agents.map((agent) => ({ agent, at: AT + 100 * n })));
    assert.deepEqual(open(outage), []);
    assert.deepEqual(open(outage.map((loss, n) => ({ ...loss, at: AT - 2_000 * (40 - n) }))), agents, 'each by itself');
    assert.deepEqual(open(outage.filter(({ agent }) => agent === 'b')), ['b']);
    const oneByOne = agents.flatMap((agent) =>
      outage.filter((loss) => loss.agent === agent).map(() => ({ agent, at: AT })),
    );
    assert.deepEqual(open(oneByOne), ['a'], 'only the first may have done it itself');
  });

  it('does not take the overhead of a busy control plane for an overloaded agent', () => {
    const random = seededRandom(1);
    const knowledge = new Knowledge(random);
    knowledge.setAgent(schedulerAgent({ key: 'busy', concurrency: 100 }));
    for (let i = 0; i < 80; i++) knowledge.guards.began('busy', 1.7e12);
    for (let i = 0; i < 2_000; i++) {
      const at = 1.7e12 + i;
      knowledge.guards.began('busy', at);
      const durationMs = i < 1_000 ? 2 + 4 * random() : 20 + 100 * random();
      knowledge.observe(completed('query', 'busy', at, durationMs));
      assert.equal(knowledge.guards.guardOf('busy', 'query', at).limit, 100);
    }
  });
});

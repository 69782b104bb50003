import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addedUsage } from './count-tokens.ts';
import { pricedUsage, readUsage } from './token-usage.ts';

describe('the usage of tokens', () => {
  it('is read from numbers and from texts, and what is no amount is named and left out', () => {
    assert.deepEqual(readUsage({ input_tokens: '12', cost_usd: 0.5, model: 'x' }), {
      usage: { input_tokens: 12, output_tokens: null, cost_usd: 0.5 },
      warnings: [],
    });
    for (const bad of ['-1', 'NaN', 'Infinity', '', ' ', '1.5', '1e30', null, true, {}, [5]]) {
      const { usage, warnings } = readUsage({ output_tokens: bad });
      assert.deepEqual([usage, warnings.length], [null, 1], JSON.stringify(bad));
      assert.match(warnings[0]!, /metadata\.output_tokens/);
    }
    assert.deepEqual(readUsage({}), { usage: null, warnings: [] });
  });

  it('costs what was reported, else what the prices of the agent say, else nothing', () => {
    const usage = { input_tokens: 2_000_000, output_tokens: 500_000, cost_usd: null };
    const prices = { cost_per_million_input: '3', cost_per_million_output: '15' };
    assert.equal(pricedUsage(usage, prices).cost_usd, 13.5);
    assert.equal(pricedUsage({ ...usage, cost_usd: 1 }, prices).cost_usd, 1);
    assert.equal(pricedUsage(usage, {}).cost_usd, 0);
  });

  it('counts each event once, however often and in whatever parts a consumer gets it again', () => {
    const event = (n: number, agent: string) => ({
      type: 'ticket.completed',
      by: 'x',
      instance: 'acme',
      seq: n,
      n,
      at: new Date(n),
      data: { usage: { agent, input_tokens: n, output_tokens: 1, cost_usd: 0.5 } },
    });
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('acme/a', '$system/b'), { minLength: 1, maxLength: 30 }),
        fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { maxLength: 10 }),
        (agents, parts) => {
          const events = agents.map((agent, i) => event(i + 1, agent));
          const counted = new Map<string, number>();
          const totals = new Map<string, number>();
          let done = 0;
          const deliver = (from: number, to: number): void => {
            for (const { agent, instance, input_tokens, event: last } of addedUsage(events.slice(from, to), counted)) {
              counted.set(`${instance}\n${agent}`, last);
              totals.set(agent, (totals.get(agent) ?? 0) + input_tokens);
            }
          };
          // A consumer goes on from a place that it delivered before, and never skips.
          for (const [back, length] of parts) {
            const from = Math.max(0, done - back);
            deliver(from, from + length);
            done = Math.max(done, Math.min(events.length, from + length));
          }
          deliver(done, events.length);
          for (const agent of new Set(agents)) {
            const sum = events.filter(({ data }) => data.usage.agent === agent).reduce((all, { n }) => all + n, 0);
            assert.equal(totals.get(agent), sum);
          }
        },
      ),
    );
  });
});

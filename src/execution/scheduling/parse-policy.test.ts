import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePolicy } from './parse-policy.ts';
import { policyDocument } from './policy-document.ts';
import { ORDER_PLUGINS } from './order-plugins.ts';
import { policyOf, PRESETS } from './policy.ts';

const faultsOf = (value: unknown): string[] =>
  parsePolicy(value).faults.map(({ path, message }) => `${path}: ${message.split(';')[1]?.trim() ?? message}`);

describe('parsePolicy', () => {
  it('takes every preset as it is, and adaptive when none is named', () => {
    for (const preset of PRESETS) assert.deepEqual(parsePolicy({ preset }), { policy: policyOf(preset), faults: [] });
    assert.deepEqual(parsePolicy({}).policy, policyOf('adaptive'));
  });

  it('reads back what it gave', () => {
    for (const preset of PRESETS) {
      const stored: unknown = JSON.parse(JSON.stringify(policyDocument(policyOf(preset))));
      assert.deepEqual(parsePolicy(stored).policy, policyOf(preset));
    }
  });

  it('changes what is named and nothing else', () => {
    const { policy } = parsePolicy({ lag_seconds: 600, hold: false, caps: { per_label: { 'provider=openai': 10 } } });
    const adaptive = policyOf('adaptive');
    const caps = { ...adaptive.caps, perLabel: { 'provider=openai': 10 } };
    assert.deepEqual(policy, { ...adaptive, lagSeconds: 600, hold: false, caps });
  });

  it('names every fault at once with its path, and the name that was meant', () => {
    const wrong = {
      preset: 'adaptve',
      lag_second: 5,
      aging_share: 2,
      order: ['dedline', 'rank', 'rank', 7],
      filters: 'all',
      scores: { finsh: 1, cost: -1 },
      tiers: { gold: 0 },
      hold: 'yes',
      caps: { running: 1.5, per_label: { openai: 1 } },
    };
    const { policy } = parsePolicy(wrong);
    assert.equal(policy, null);
    assert.deepEqual(faultsOf(wrong), [
      'lag_second: did you mean lag_seconds?',
      'preset: did you mean adaptive?',
      'aging_share: must be a number from 0 to 1',
      'order[0]: did you mean deadline?',
      'order[2]: stands there twice',
      `order[3]: must be one of ${Object.keys(ORDER_PLUGINS).join(', ')}`,
      'filters: must be a list of at most 32 names',
      'scores.cost: must be a number from 0 to 1e9',
      'scores.finsh: did you mean finish?',
      'tiers.gold: must be a number from above 0 to 1000000',
      'hold: must be true or false',
      'caps.per_label.openai: must be named as label=value',
      'caps.running: must be a whole number ≥ 0, or null for none',
    ]);
    for (const value of [null, 7, 'adaptive', []]) assert.deepEqual(faultsOf(value), [': must be an object']);
  });
});

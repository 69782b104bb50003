import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import { priorityScore, urgency } from './priority-score.ts';

type Of = Pick<ExecutionTicket, 'risk_band' | 'qos'>;
const ticket = (
  risk_band: Of['risk_band'],
  delivery_mode: Of['qos']['delivery_mode'],
  consistency: Of['qos']['consistency'],
  durability: Of['qos']['durability'],
): Of => ({
  risk_band,
  qos: { delivery_mode, consistency, durability },
});
const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);

describe('the priority score', () => {
  it('is 1 for a critical ticket with the best quality of service near its deadline', () => {
    near(priorityScore(ticket('critical', 'EXACTLY_ONCE', 'STRONG', 'PERSISTENT'), 0, 100, 80), 1);
  });

  it('is 0.4 × risk + 0.3 × quality of service + 0.3 × urgency', () => {
    near(
      priorityScore(ticket('high', 'EXACTLY_ONCE', 'STRONG', 'PERSISTENT'), 0, 100, 0),
      0.4 * 0.7 + 0.3 * 1 + 0.3 * 0.3,
    );
    near(
      priorityScore(ticket('medium', 'AT_LEAST_ONCE', 'EVENTUAL', 'PERSISTENT'), 0, 100, 50),
      0.4 * 0.5 + 0.3 * 0.7 * 0.85 + 0.3 * 0.7,
    );
    near(
      priorityScore(ticket('low', 'AT_MOST_ONCE', 'EVENTUAL', 'TRANSIENT'), 0, 100, 0),
      0.4 * 0.3 + 0.3 * 0.5 * 0.85 * 0.9 + 0.3 * 0.3,
    );
  });

  it('grows at half and at four fifths of the time to the deadline', () => {
    assert.deepEqual(
      [0, 49, 50, 79, 80, 100, 500].map((now) => urgency(0, 100, now)),
      [0.3, 0.3, 0.7, 0.7, 1, 1, 1],
    );
  });

  it('is most urgent when there is no time at all', () => assert.equal(urgency(10, 10, 0), 1));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BusEvent } from '../../platform/bus/journal-reader.ts';
import { addedStatistics } from './statistics.ts';

const event = (n: number, type: string, more: Partial<BusEvent> = {}): BusEvent => ({
  instance: 'padaria',
  seq: n,
  n,
  at: new Date('2026-11-30T23:59:00Z'),
  type,
  by: 'engine',
  ...more,
});

test('each kind of end counts where it belongs, and what is no end counts nowhere', () => {
  const types = [
    'plan.received',
    'plan.completed',
    'plan.failed',
    'plan.compensated',
    'plan.cancelled',
    'plan.rejected',
    'ticket.completed',
    'ticket.failed',
    'ticket.leased',
    'toString',
  ];
  const [sum, ...others] = addedStatistics(
    types.map((type, i) => event(i + 1, type)),
    new Map(),
  );
  assert.deepEqual(others, []);
  const { plans_received, plans_completed, plans_failed, plans_cancelled, tickets_completed, tickets_failed } = sum!;
  assert.deepEqual([plans_received, plans_completed, plans_failed, plans_cancelled], [1, 1, 2, 2]);
  assert.deepEqual([tickets_completed, tickets_failed, sum!.event], [1, 1, 8]);
});

test('the cost of a month begins anew with the month, by UTC', () => {
  const cost = (n: number, at: string, cost_usd: unknown): BusEvent =>
    event(n, 'ticket.completed', { at: new Date(at), data: { usage: { cost_usd } } });
  const [sum] = addedStatistics(
    [
      cost(1, '2026-11-30T23:59:59.999Z', 1),
      cost(2, '2026-12-01T00:00:00.000Z', 2),
      cost(3, '2026-12-02T00:00:00.000Z', 4),
      cost(4, '2026-12-02T00:00:00.000Z', 'free'),
    ],
    new Map(),
  );
  assert.deepEqual([sum!.cost_usd, sum!.month, sum!.month_cost_usd, sum!.tickets_completed], [7, '2026-12', 6, 4]);
});

test('however events are delivered, again and again, each counts once', () => {
  const delivery = fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 8 });
  fc.assert(
    fc.property(delivery, (ranges) => {
      const events = Array.from({ length: 20 }, (_, i) => event(i + 1, 'plan.received'));
      const counted = new Map<string, number>();
      let total = 0;
      // Deliveries go on where one before has ended, or earlier.
      for (const [from, length] of [...ranges, [0, 20] as const]) {
        const start = Math.min(from, counted.get('padaria') ?? 0);
        for (const sum of addedStatistics(events.slice(start, start + length), counted)) {
          total += sum.plans_received;
          counted.set('padaria', sum.event);
        }
      }
      assert.equal(total, 20);
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import { parseDecision } from '../../platform/contracts/parse-decision.ts';
import { checkDecision } from '../plans/check-plan.ts';
import { TICKET_POLICY, generateTickets } from '../plans/generate-tickets.ts';
import { divertedDecision, hopsOf } from './diverted-decision.ts';

const TICKET: ExecutionTicket = {
  ticket_id: '2s-0',
  plan_id: 'plan-7',
  intent_id: 'intent',
  decision_id: 'decision',
  correlation_id: 'correlation',
  trace_id: null,
  span_id: null,
  task_id: 'build',
  task_type: 'EXECUTE',
  description: 'Build it',
  dependencies: ['2s-9'],
  status: 'RUNNING',
  priority: 'CRITICAL',
  risk_band: 'high',
  sla: { deadline: 1_700_000_900_000, timeout_ms: 90_000, max_retries: 3 },
  qos: { delivery_mode: 'EXACTLY_ONCE', consistency: 'STRONG', durability: 'PERSISTENT' },
  parameters: { a: '1' },
  required_capabilities: ['node'],
  security_level: 'RESTRICTED',
  created_at: 1_700_000_000_000,
  started_at: 1_700_000_000_500,
  completed_at: null,
  estimated_duration_ms: 30_000,
  actual_duration_ms: null,
  retry_count: 0,
  error_message: null,
  compensation_ticket_id: null,
  metadata: { instance: 'acme', task_type: 'compile', compensation: 'clean', region: 'eu' },
  schema_version: 1,
};

test('the other side reads it as a valid decision whose ticket is the same work', () => {
  const { decision, planId } = divertedDecision(TICKET, null);
  const parsed = parseDecision(decision);
  assert.deepEqual([parsed.faults, parsed.warnings], [[], []]);
  assert.deepEqual(checkDecision(parsed.decision!, parsed.plan, Date.parse('2099-01-01')), []);
  const { specs } = generateTickets(parsed.plan!, 0, TICKET_POLICY);
  const { metadata, ...spec } = specs[0]!;
  for (const [name, value] of Object.entries(spec))
    if (name in TICKET) assert.deepEqual(value, TICKET[name as keyof ExecutionTicket], name);
  assert.deepEqual([spec.timeout_ms, spec.max_retries, spec.gated, spec.compensation], [90_000, 3, false, null]);
  assert.deepEqual(
    [metadata.task_type, metadata.region, metadata.origin_ticket_id, metadata.origin_plan_id, metadata.origin_instance],
    ['compile', 'eu', '2s-0', 'plan-7', 'acme'],
  );
  assert.equal(parsed.decision!.metadata.instance, 'acme');
  assert.match(planId, /^diverted-2s-0-[0-9a-f]{16}$/);
});

test('all attempts of a ticket are one decision; started over, or of another cluster, it is another', () => {
  const { planId, decision } = divertedDecision(TICKET, null);
  const later = { ...TICKET, status: 'PENDING', retry_count: 4, started_at: 9, error_message: 'x' } as const;
  assert.deepEqual(divertedDecision(later, null).decision, decision);
  const others = [
    divertedDecision({ ...TICKET, sla: { ...TICKET.sla, deadline: TICKET.sla.deadline + 1 } }, null),
    divertedDecision({ ...TICKET, compensation_ticket_id: '2s-1' }, null),
    divertedDecision({ ...TICKET, ticket_id: '2s-1' }, null),
    divertedDecision({ ...TICKET, created_at: 1 }, null),
    divertedDecision({ ...TICKET, metadata: { instance: 'other' } }, null),
  ];
  assert.equal(new Set([planId, ...others.map((other) => other.planId)]).size, 6);
});

test('the company is the configured one, or that of the same name', () => {
  assert.equal(divertedDecision(TICKET, null).instance, 'acme');
  const mapped = divertedDecision(TICKET, 'acme-eu');
  assert.equal(mapped.instance, 'acme-eu');
  assert.equal((mapped.decision.metadata as Record<string, string>).instance, 'acme-eu');
});

test('each diversion adds a hop to those before it', () => {
  const taskOf = (ticket: ExecutionTicket): Record<string, string> =>
    parseDecision(divertedDecision(ticket, null).decision).plan!.tasks[0]!.metadata;
  const second = { ...TICKET, ticket_id: '9-0', plan_id: 'p2', metadata: { ...taskOf(TICKET), instance: 'b' } };
  const third = { ...TICKET, metadata: taskOf(second) };
  assert.deepEqual(
    hopsOf(third).map(({ company, ticket_id }) => [company, ticket_id]),
    [
      ['acme', '2s-0'],
      ['b', '9-0'],
    ],
  );
  assert.equal(third.metadata.origin_ticket_id, '9-0');
});

test('metadata that only looks like hops counts as none', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const hops = hopsOf({ ...TICKET, metadata: { diverted_through: text } });
      for (const { company, plan_id, ticket_id, created_at } of hops)
        assert.deepEqual(
          [typeof company, typeof plan_id, typeof ticket_id, typeof created_at],
          ['string', 'string', 'string', 'number'],
        );
    }),
  );
  assert.deepEqual(hopsOf({ ...TICKET, metadata: { diverted_through: '[null, 1, {"company": "x"}]' } }), []);
});

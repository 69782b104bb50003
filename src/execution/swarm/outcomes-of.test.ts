import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BusLine } from '../../platform/bus/journal-reader.ts';
import { readyTicket } from '../scheduling/sample-ticket.testing.ts';
import { doubtsOf, outcomesOf, teaches } from './outcomes-of.ts';

const AT = new Date(1_000_000);
const specs = [readyTicket({}).spec, readyTicket({ type: 'EXECUTE', customType: 'paint' }).spec];
const plan = (planId: string) => (planId === 'p' ? { key: 7, specs } : undefined);
const row = (...events: Omit<BusLine, 'by'>[]) => ({
  instance: 'acme',
  at: AT,
  events: events.map((event) => ({ by: 'engine', ...event })),
});

describe('what a journal row teaches', () => {
  it('is an outcome for each attempt that ended with a result', () => {
    const ended = row(
      { type: 'ticket.leased', plan: 'p', ticket: 0, data: { agent: 'a' } },
      { type: 'ticket.completed', plan: 'p', ticket: 0, data: { agent: 'a', duration_ms: 40, slack_ms: 9 } },
      {
        type: 'ticket.retrying',
        plan: 'p',
        ticket: 1,
        data: { agent: 'b', own: true, duration_ms: 5, error_class: 'quota', delay_ms: 700 },
      },
      {
        type: 'ticket.retrying',
        plan: 'p',
        ticket: 0,
        data: { agent: 'c', duration_ms: 6, error_class: 'timeout', delay_ms: 700, lost: 1 },
      },
    );
    const outcomes = outcomesOf(ended, plan);
    assert.deepEqual(
      outcomes.map(({ type, agent, durationMs, result, errorClass, retryAfterMs, slackMs, isLost }) => [
        type,
        agent,
        durationMs,
        result,
        errorClass,
        retryAfterMs,
        slackMs,
        isLost,
      ]),
      [
        ['BUILD', '$system/a', 40, 'completed', null, null, 9, false],
        ['paint', 'acme/b', 5, 'failed', 'quota', 700, null, false],
        ['BUILD', '$system/c', 6, 'failed', 'timeout', null, null, true],
      ],
    );
    assert.deepEqual([outcomes[0].plan, outcomes[0].at, teaches(ended)], [7, AT.getTime(), true]);
  });

  it('is nothing of attempts that were cancelled or given back, of declined tickets, and of plans that are not known', () => {
    const none = row(
      { type: 'ticket.cancelled', plan: 'p', ticket: 0, data: { agent: 'a', duration_ms: 4 } },
      { type: 'ticket.released', plan: 'p', ticket: 0, data: { agent: 'a' } },
      { type: 'ticket.failed', plan: 'p', ticket: 0, data: { error_class: 'declined' } },
      { type: 'ticket.completed', plan: 'other', ticket: 0, data: { agent: 'a', duration_ms: 4 } },
      { type: 'ticket.completed', plan: 'p', ticket: 9, data: { agent: 'a', duration_ms: 4 } },
    );
    assert.deepEqual(outcomesOf(none, plan), []);
    assert.equal(teaches(row({ type: 'plan.received', plan: 'p' })), false);
  });

  it('is doubt of the types of a plan with an incident, unless that was only a forecast', () => {
    const incident = (incident_type: string) =>
      row({ type: 'incident.raised', plan: 'p', data: { incident: { incident_type } } });
    assert.deepEqual([...doubtsOf(incident('INCONSISTENCY'), plan)], ['BUILD', 'paint']);
    assert.deepEqual([...doubtsOf(incident('SLA_VIOLATION'), plan)], []);
    assert.equal(teaches(incident('INCONSISTENCY')), true);
  });
});

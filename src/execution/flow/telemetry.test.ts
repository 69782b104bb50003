import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { createColmeia } from '../../create-colmeia.ts';
import { checkRecord } from '../../platform/contracts/parse-record.ts';
import type { FlowCTelemetryEvent } from '../../platform/contracts/generated/records.ts';
import type { RecordedEvent } from '../../trust/audit/journal.ts';
import { LOCAL_OPERATOR } from '../../trust/identity/principal.ts';
import { decision, receiver, workOff } from './run-plan.testing.ts';
import { telemetryOf } from './telemetry.ts';

const SHORT = { backoff: { baseMs: 10, maxMs: 20, quotaMs: 10 } };
const TRACE = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331' };
const GOOD = (): null => null;

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let waited = 0; !(await isSo()); waited += 10) {
    if (waited > 10_000) assert.fail(`still waiting: ${what}`);
    await sleep(10);
  }
}

const steps = (records: readonly FlowCTelemetryEvent[]): string[] =>
  records.map(({ event_type, step }) => (step === null ? event_type : `${step} ${event_type}`));

describe('the telemetry sink', () => {
  test('posts every step of a plan with its correlation, signed, as valid records', async () => {
    const sink = await receiver(() => 204);
    const colmeia = await createColmeia({ telemetry: { url: `${sink.url}/in`, secret: 'shared' } });
    try {
      await colmeia.decisions.submit(LOCAL_OPERATOR, decision('good', TRACE));
      await workOff(colmeia, ['good'], GOOD);
      const records = (): FlowCTelemetryEvent[] =>
        sink.received.flatMap(({ body }) => JSON.parse(body.toString()) as FlowCTelemetryEvent[]);
      await until(() => records().some((record) => record.event_type === 'FLOW_C_COMPLETED'), 'the end');
      assert.deepEqual(steps(records()), [
        'FLOW_C_STARTED',
        'C1 STEP_STARTED',
        'C1 STEP_COMPLETED',
        'C2 STEP_STARTED',
        'C2 STEP_COMPLETED',
        'C3 STEP_STARTED',
        'C4 STEP_STARTED',
        'C3 TICKET_ASSIGNED',
        'C4 TICKET_COMPLETED',
        'C3 TICKET_ASSIGNED',
        'C4 TICKET_COMPLETED',
        'C3 STEP_COMPLETED',
        'C5 STEP_STARTED',
        'C4 STEP_COMPLETED',
        'C5 STEP_COMPLETED',
        'C6 STEP_STARTED',
        'C6 STEP_COMPLETED',
        'FLOW_C_COMPLETED',
      ]);
      for (const record of records()) {
        assert.deepEqual(checkRecord('FlowCTelemetryEvent', record).faults, []);
        const { intent_id, plan_id, decision_id, workflow_id, correlation_id, trace_id, span_id } = record;
        assert.deepEqual(
          [intent_id, plan_id, decision_id, workflow_id, correlation_id, trace_id, span_id],
          ['i', 'good', 'd-good', 'orchestration-good', 'c', TRACE.trace_id, TRACE.span_id],
        );
      }
      const tickets = records().filter((record) => record.event_type === 'TICKET_COMPLETED');
      assert.deepEqual(
        tickets.map(({ task_type, worker_id }) => [task_type, worker_id]),
        [
          ['BUILD', 'worker'],
          ['TEST', 'worker'],
        ],
      );
      const [made] = records().filter((record) => record.ticket_ids.length > 0);
      assert.deepEqual(
        made.ticket_ids,
        tickets.map((ticket) => ticket.ticket_id),
      );
      assert.equal(records().at(-1)!.result!.tickets_completed, '2');
      assert.equal(new Set(records().map((record) => record.metadata.event_id)).size, records().length);
      for (const { headers, body } of sink.received) {
        const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['colmeia-signature']))!;
        assert.equal(v1, createHmac('sha256', 'shared').update(`${t}.${body}`).digest('hex'));
      }
    } finally {
      await colmeia.close();
      await sink.close();
    }
  });

  test('loses nothing and keeps the order while the receiver is away', async () => {
    let isAway = true;
    let refused = 0;
    const sink = await receiver(() => (isAway ? (refused++, 503) : 200));
    const colmeia = await createColmeia({
      telemetry: { url: sink.url, secret: null },
      policy: SHORT,
      random: () => 0,
    });
    try {
      const plans = Array.from({ length: 30 }, (_, i) => `p${i}`);
      await colmeia.decisions.submitAll(
        LOCAL_OPERATOR,
        plans.map((plan) => decision(plan)),
      );
      let tests = 0; // the only agent fails now and then; were it to fail all the time, it would be left alone for a while
      await workOff(colmeia, plans, (task, attempt) =>
        task === 'test' && attempt === 1 && ++tests % 3 === 0 ? 'transient' : null,
      );
      await until(() => refused > 1, 'two refusals');
      isAway = false;
      const records = (): FlowCTelemetryEvent[] =>
        sink.received.flatMap(({ body }) => JSON.parse(body.toString()) as FlowCTelemetryEvent[]);
      await until(
        () => records().filter((record) => record.event_type === 'FLOW_C_COMPLETED').length === 30,
        'all ends',
      );
      const numbers = records().map((record) => String(record.metadata.event_id).split(':')[1].split('.').map(Number));
      assert.deepEqual(
        numbers,
        numbers.toSorted(([a, i], [b, k]) => a - b || i - k),
      );
      const published = async (): Promise<number> =>
        Number(/^orchestration_telemetry_published_total (\d+)/m.exec((await colmeia.metrics()).text)![1]);
      await until(async () => (await published()) === records().length, 'the count');
      const { text } = await colmeia.metrics();
      assert.ok(Number(/^orchestration_telemetry_buffered_total (\d+)/m.exec(text)![1]) > 0);
      assert.match(text, /^colmeia_consumer_lag_rows\{consumer="telemetry"\} \d+/m);
    } finally {
      await colmeia.close();
      await sink.close();
    }
  });

  test('leaves out a record that the receiver refuses for good, and only that', async () => {
    const holdsBad = (body: Buffer): boolean =>
      body.includes('"event_type":"SLA_VIOLATION"') || body.includes('"plan_id":"bad"');
    const sink = await receiver(({ body }) => (holdsBad(body) ? 422 : 200));
    const said: unknown[] = [];
    const colmeia = await createColmeia({
      telemetry: { url: sink.url, secret: null },
      log: (level, data) => level === 'error' && said.push(data.event),
    });
    try {
      await colmeia.decisions.submitAll(
        LOCAL_OPERATOR,
        ['fine', 'bad', 'good'].map((plan) => decision(plan)),
      );
      await workOff(colmeia, ['fine', 'bad', 'good'], GOOD);
      const ends = (): unknown[] =>
        sink.received
          .flatMap(({ body }) => JSON.parse(body.toString()) as FlowCTelemetryEvent[])
          .filter((record) => record.event_type === 'FLOW_C_COMPLETED')
          .map((record) => record.plan_id);
      await until(() => ends().length === 2 && said.length === 18, 'the other two');
      assert.deepEqual(ends().sort(), ['fine', 'good']);
    } finally {
      await colmeia.close();
      await sink.close();
    }
  });
});

describe('telemetryOf', () => {
  const event = (type: string, data: Record<string, unknown>, ticket?: number): RecordedEvent => ({
    type,
    by: 'engine',
    plan: 'p',
    data,
    instance: 'a',
    seq: 1,
    n: 7,
    at: new Date(1_000),
    ...(ticket === undefined ? {} : { ticket }),
  });
  test('says what failed and why, also without the row of the plan', () => {
    const [failed] = telemetryOf(
      event('ticket.failed', { agent: 'w', error: 'boom', error_class: 'poison', duration_ms: 5 }, 0),
      null,
    );
    assert.deepEqual(
      [failed.event_type, failed.error, failed.error_type, failed.worker_id, failed.duration_ms, failed.success],
      ['TICKET_FAILED', 'boom', 'poison', 'w', 5, false],
    );
    assert.deepEqual(steps(telemetryOf(event('plan.failing', { error: 'boom', cause: 0 }), null)), ['C4 STEP_FAILED']);
    const [late] = telemetryOf(event('ticket.late', { deadline: 5 }, 0), null);
    assert.deepEqual([late.event_type, late.sla_compliant, late.metadata.deadline], ['SLA_VIOLATION', false, 5]);
    const [rejected] = telemetryOf(
      event('decision.rejected', { faults: [{ path: 'tasks', message: 'is empty' }] }),
      null,
    );
    assert.deepEqual([rejected.event_type, rejected.error], ['STEP_FAILED', 'tasks: is empty']);
    const ended = telemetryOf(
      event('plan.compensated', {
        duration_ms: 9,
        tickets: { total: 1 },
        inconsistencies: ['odd'],
        sla: { compliant: false, violations: 1 },
      }),
      null,
    );
    assert.deepEqual(steps(ended), ['C5 STEP_FAILED', 'C6 STEP_STARTED', 'C6 STEP_COMPLETED', 'FLOW_C_COMPLETED']);
    assert.deepEqual(
      [ended.at(-1)!.status, ended.at(-1)!.success, ended.at(-1)!.sla_compliant],
      ['COMPENSATED', false, false],
    );
  });
  test('counts a copy as assigned, and its end only with the ticket', () => {
    const said = (type: string) => telemetryOf(event(type, { agent: 'w', fence: 2 }, 0), null);
    const [copy] = said('ticket.copied');
    assert.deepEqual([copy.event_type, copy.status, copy.worker_id], ['TICKET_ASSIGNED', 'RUNNING', 'w']);
    for (const type of ['ticket.copy_failed', 'ticket.copy_released', 'ticket.copy_lost'])
      assert.deepEqual(said(type), []);
  });
  test('says nothing of what is not about a plan, and knows a compensation by its task', () => {
    assert.deepEqual(telemetryOf({ ...event('key.created', {}), plan: undefined }, null), []);
    assert.equal(telemetryOf(event('ticket.leased', { task: 'build~undo' }, 4), null)[0].task_type, 'COMPENSATE');
  });
});

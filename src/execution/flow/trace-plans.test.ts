import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { createColmeia } from '../../create-colmeia.ts';
import { LOCAL_OPERATOR } from '../../trust/identity/principal.ts';
import { decision, receiver, workOff, type Received } from './run-plan.testing.ts';
import { spansOf, type TracedPlan } from './trace-spans.ts';

const TRACE = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331' };

type OtlpSpan = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code: number; message?: string };
};

function spansIn(received: readonly Received[]): OtlpSpan[] {
  return received.flatMap(({ body }) => {
    const { resourceSpans } = JSON.parse(body.toString()) as {
      resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[];
    };
    return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
  });
}
const attribute = (span: OtlpSpan, name: string): unknown =>
  Object.values(span.attributes.find(({ key }) => key === name)?.value ?? {})[0];

test('a plan arrives at the collector as one tree of spans, once, also when the collector was away', async () => {
  let calls = 0;
  const collector = await receiver(() => (++calls === 1 ? 400 : 200));
  const colmeia = await createColmeia({
    otelEndpoint: collector.url,
    policy: { backoff: { baseMs: 10, maxMs: 20, quotaMs: 10 } },
    random: () => 0,
  });
  try {
    const begin = Date.now();
    await colmeia.decisions.submit(LOCAL_OPERATOR, decision('traced', TRACE));
    await workOff(colmeia, ['traced'], (task, attempt) => (task === 'test' && attempt === 1 ? 'transient' : null));
    await colmeia.decisions.submit(LOCAL_OPERATOR, decision('failing', { trace_id: 'not w3c' }));
    await workOff(colmeia, ['failing'], () => 'poison');
    for (let waited = 0; new Set(spansIn(collector.received).map((span) => span.traceId)).size < 2; waited += 10) {
      assert.ok(waited < 10_000, 'both plans arrive');
      await sleep(10);
    }
    const {
      resourceSpans: [{ resource }],
    } = JSON.parse(collector.received[0].body.toString());
    assert.equal(collector.received[0].url, '/v1/traces');
    assert.ok(JSON.stringify(resource).includes('"colmeia"'));

    const spans = spansIn(collector.received).filter((span) => span.traceId === TRACE.trace_id);
    const ids = new Map(spans.map((span) => [span.spanId, span]));
    const root = spans.find((span) => span.name === 'orchestration.flow_c')!;
    assert.equal(root.parentSpanId, TRACE.span_id);
    assert.deepEqual(
      ['plan_id', 'workflow_id', 'intent_id', 'instance', 'status'].map((name) => attribute(root, name)),
      ['traced', 'orchestration-traced', 'i', 'default', 'completed'],
    );
    const names = [...ids.values()].map((span) => span.name).sort();
    assert.deepEqual(names, [
      'C1 validate',
      'C2 tickets',
      'C3 schedule',
      'C4 execute',
      'C5 consolidate',
      'C6 telemetry',
      'attempt 1',
      'orchestration.flow_c',
      'ticket BUILD',
      'ticket TEST',
    ]);
    for (const span of ids.values()) {
      if (span !== root) assert.ok(ids.has(span.parentSpanId!), `${span.name} has its parent in the tree`);
      const [start, end] = [Number(span.startTimeUnixNano) / 1e6, Number(span.endTimeUnixNano) / 1e6];
      assert.ok(start >= begin - 1 && end >= start && end <= Date.now() + 1, `${span.name} has real times`);
    }
    const ticket = [...ids.values()].find((span) => span.name === 'ticket TEST')!;
    assert.equal(ids.get(ticket.parentSpanId!)!.name, 'C4 execute');
    assert.equal(attribute(ticket, 'agent_id'), 'worker');
    const attempt = [...ids.values()].find((span) => span.name === 'attempt 1')!;
    assert.equal(attempt.parentSpanId, ticket.spanId);
    assert.equal(attempt.status.code, 2);

    const failing = spansIn(collector.received).filter((span) => span.traceId !== TRACE.trace_id);
    assert.match(failing[0].traceId, /^[0-9a-f]{32}$/);
    assert.equal(failing.find((span) => span.name === 'ticket BUILD')!.status.message, 'no luck');
  } finally {
    await colmeia.close();
    await collector.close();
  }
});

test('the same plan and revision gives the same spans, another revision other ones', () => {
  const plan: TracedPlan = {
    key: 4_294_967_297,
    instance: 'a',
    plan_id: 'p',
    intent_id: null,
    correlation_id: null,
    trace_id: null,
    span_id: null,
    status: 'completed',
    rev: 1,
    created_at: 1_000,
    ended_at: 2_000,
    duration_ms: 1_001,
    tickets: [
      {
        n: 0,
        task_id: 't',
        task_type: 'BUILD',
        status: 'completed',
        agent: 'a/w',
        attempt: 1,
        fence: 1,
        started_at: 1_100,
        ended_at: 2_000,
        error: null,
      },
    ],
  };
  assert.deepEqual(spansOf(plan), spansOf(structuredClone(plan)));
  const ids = (of: TracedPlan): string[] => spansOf(of).map((span) => span.spanId);
  assert.equal(new Set([...ids(plan), ...ids({ ...plan, rev: 2 })]).size, 16);
  assert.equal(spansOf(plan)[0].traceId, spansOf({ ...plan, rev: 2, trace_id: '0'.repeat(32) })[0].traceId);
  assert.deepEqual(
    spansOf({ ...plan, status: 'rejected', duration_ms: null, tickets: [] }).map((span) => [span.name, span.error]),
    [
      ['orchestration.flow_c', 'rejected'],
      ['C1 validate', 'rejected'],
    ],
  );
});

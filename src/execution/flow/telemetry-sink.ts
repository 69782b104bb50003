import { createHmac } from 'node:crypto';
import { Agent, request } from 'undici';

import { startConsumer, type Consumer, type ConsumerOptions } from '../../platform/bus/consumer.ts';
import type { FlowCTelemetryEvent } from '../../platform/contracts/generated/records.ts';
import type { RecordedEvent } from '../../trust/audit/journal.ts';
import { CorrelationStore, keyOf, type PlanName } from './correlation-store.ts';
import { telemetryOf } from './telemetry.ts';

export type TelemetrySinkOptions = Omit<ConsumerOptions, 'name' | 'deliver' | 'from'> & {
  /** COLMEIA_TELEMETRY_URL. */
  url: string;
  /** Key of the signature; null = unsigned. */
  secret: string | null;
  metrics: { telemetryPublished: { inc(count: number): void }; telemetryBuffered: { inc(count: number): void } };
  /** Of one request. Default 10,000. */
  timeoutMs?: number;
};

/** Records of one request. */
const AT_ONCE = 500;
/** Answers that no repeat can change: the records themselves are refused. */
const REFUSED = new Set([400, 413, 422]);

/**
 * C6: posts the telemetry of finished commits as a JSON array of FlowCTelemetryEvent, each company's in order and at least
 * once (`metadata.event_id` tells repeats). While the receiver is away they stay in the journal. Records it refuses for
 * good are halved until the one is found, which is logged and left out. Headers: `Colmeia-Signature: t=<unix seconds>,
 * v1=<hex HMAC-SHA256 of "t.body">`. Redirects are not followed. Begins with what happens from its first start on.
 */
export function startTelemetrySink(options: TelemetrySinkOptions): Consumer {
  const { metrics, log } = options;
  const correlations = new CorrelationStore(options.store);
  const dispatcher = new Agent({ connections: 2, connect: { timeout: 5_000 }, pipelining: 1 });
  const send = (records: readonly FlowCTelemetryEvent[], signal: AbortSignal): Promise<void> =>
    post(records, {
      ...options,
      dispatcher,
      signal,
      onRefused: (record, status) => {
        log(
          'error',
          { status, event: record.metadata.event_id },
          'the telemetry receiver refuses a record; it is left out',
        );
      },
    });
  /** Of the batch under way: what has arrived, so that a repeat goes on behind it. */
  let underWay: { first: RecordedEvent; records: FlowCTelemetryEvent[]; sent: number; buffered: boolean } | null = null;
  const consumer = startConsumer({
    ...options,
    name: 'telemetry',
    from: 'now',
    deliver: async (events, signal) => {
      if (underWay === null || underWay.first !== events[0]) {
        underWay = { first: events[0], records: await recordsOf(correlations, events), sent: 0, buffered: false };
      }
      const batch = underWay;
      try {
        while (batch.sent < batch.records.length) {
          const part = batch.records.slice(batch.sent, batch.sent + AT_ONCE);
          await send(part, signal);
          batch.sent += part.length;
          metrics.telemetryPublished.inc(part.length);
        }
      } catch (error) {
        if (!batch.buffered) metrics.telemetryBuffered.inc(batch.records.length - batch.sent);
        batch.buffered = true;
        throw error;
      }
      underWay = null;
    },
  });
  return {
    name: consumer.name,
    refresh: () => consumer.refresh(),
    lag: () => consumer.lag(),
    stop: async (graceMs) => {
      await consumer.stop(graceMs);
      await dispatcher.destroy();
    },
  };
}

/** The telemetry of events, with the correlation of their plans read in one go. */
export async function recordsOf(
  correlations: CorrelationStore,
  events: readonly RecordedEvent[],
): Promise<FlowCTelemetryEvent[]> {
  const plans: PlanName[] = [];
  for (const { instance, plan: planId, type } of events) {
    if (planId === undefined) continue;
    if (type === 'plan.received' || type === 'plan.replanned') correlations.forget({ instance, planId });
    plans.push({ instance, planId });
  }
  const found = await correlations.read(plans);
  return events.flatMap((event) =>
    telemetryOf(event, found.get(keyOf({ instance: event.instance, planId: event.plan ?? '' })) ?? null),
  );
}

type Post = Pick<TelemetrySinkOptions, 'url' | 'secret' | 'clock' | 'timeoutMs'> & {
  dispatcher: Agent;
  signal: AbortSignal;
  onRefused: (record: FlowCTelemetryEvent, status: number) => void;
};

async function post(records: readonly FlowCTelemetryEvent[], to: Post): Promise<void> {
  const body = JSON.stringify(records);
  const headers: Record<string, string> = { 'content-type': 'application/json', 'user-agent': 'colmeia' };
  if (to.secret !== null)
    headers['colmeia-signature'] = signatureOf(body, to.secret, Math.floor(to.clock.now() / 1_000));
  const timeout = AbortSignal.timeout(to.timeoutMs ?? 10_000);
  const signal = AbortSignal.any([to.signal, timeout]);
  const answer = await request(to.url, { method: 'POST', body, headers, dispatcher: to.dispatcher, signal });
  await answer.body.dump({ limit: 64 * 1024, signal });
  const { statusCode } = answer;
  if (statusCode >= 200 && statusCode < 300) return;
  if (!REFUSED.has(statusCode)) throw new Error(`the telemetry receiver answered ${statusCode}`);
  if (records.length === 1) return to.onRefused(records[0], statusCode);
  const half = records.length >> 1;
  await post(records.slice(0, half), to);
  await post(records.slice(half), to);
}

/** Value of Colmeia-Signature. A receiver computes it again and refuses old times. */
export function signatureOf(body: string, secret: string, unixSeconds: number): string {
  return `t=${unixSeconds},v1=${createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex')}`;
}

import type { Colmeia } from '../../../colmeia.ts';
import { ColmeiaError } from '../../../platform/errors.ts';
import { INSTANCE_QUERY, PAGE_QUERY, pageOf } from '../answer-schemas.ts';
import { bearerKey } from '../authenticate.ts';
import type { HttpLimits } from '../http-limits.ts';
import type { OpenCalls } from '../open-calls.ts';
import { operation, type Operation } from '../operation.ts';
import { streamEvents } from '../stream-events.ts';

const FRAME = `retry: 2000

id: default:480
event: ticket.completed
data: {"id":"default:480","instance":"default","seq":120,"n":480,"at":"2026-11-21T12:00:00.000Z","type":"ticket.completed","by":"agent:builder-1"}
`;

export function eventRoutes(colmeia: Colmeia, streams: OpenCalls, limits: HttpLimits): Operation[] {
  return [
    operation({
      id: 'streamEvents',
      tag: 'events',
      method: 'GET',
      path: '/api/v1/events',
      summary: 'Events as they happen (server-sent events)',
      description: `The answer does not end. Events of one company come in the order of its journal, without gaps. A reader that reconnects with \`Last-Event-ID\` (or \`after\`) goes on where it was.

A comment comes every ${limits.keepAliveMs / 1000} seconds. A reader that lets ${Math.round(limits.streamWaitingBytes / 1_000_000)} MB wait is disconnected, and may resume. A revoked key ends its streams.`,
      query: {
        ...INSTANCE_QUERY,
        plan_id: { type: 'string', description: 'Only events about this plan.' },
        after: { type: 'string', description: 'Id of the last event seen; Last-Event-ID counts more.' },
      },
      headers: {
        'last-event-id': { type: 'string', description: 'Id of the last event seen; left out: from now on.' },
      },
      answer: {
        status: 200,
        description: 'The stream.',
        schema: { type: 'string' },
        example: FRAME,
        contentType: 'text/event-stream',
      },
      errors: ['INSTANCE_NOT_FOUND', 'PLAN_NOT_FOUND', 'PLAN_AMBIGUOUS', 'QUEUE_FULL'],
      run: async ({ who, query, request, reply }) => {
        if (streams.size >= limits.streams) {
          throw new ColmeiaError('QUEUE_FULL', `there are ${streams.size} event streams open, which is the most`, {
            retryAfterMs: 5_000,
          });
        }
        const key = bearerKey(request.headers.authorization) ?? '';
        const last = request.headers['last-event-id'];
        await streamEvents({
          colmeia,
          who,
          query: {
            instance: query.instance,
            planId: query.plan_id,
            after: typeof last === 'string' ? last : query.after,
          },
          reply,
          signal: streams.open(reply.raw),
          stillKnown: async () => (await colmeia.keys.authenticate(key)) !== null,
          keepAliveMs: limits.keepAliveMs,
          mostWaiting: limits.streamWaitingBytes,
        });
      },
    }),
    operation({
      id: 'listTelemetry',
      tag: 'events',
      method: 'GET',
      path: '/api/v1/telemetry',
      summary: 'Pull the telemetry records of a company',
      query: { ...PAGE_QUERY, ...INSTANCE_QUERY },
      answer: {
        status: 200,
        description: 'A page of records.',
        schema: pageOf('FlowCTelemetryEvent'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, query }) => colmeia.events.telemetry(who, query),
    }),
  ];
}

import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/** A finished span as plain data. Ids are hex: 32 digits of the trace, 16 of a span. Times are epoch ms. */
export type Span = {
  traceId: string;
  spanId: string;
  /** null = the root of its trace. */
  parentId: string | null;
  name: string;
  startMs: number;
  endMs: number;
  attributes: Record<string, string | number | boolean>;
  /** What went wrong; null = nothing. */
  error: string | null;
};

export type TraceExporter = {
  /** Resolves when the collector has them; rejects when it is away or refuses. */
  export(spans: readonly Span[]): Promise<void>;
  close(): Promise<void>;
};

export type TraceExporterOptions = {
  /** OTEL_EXPORTER_ENDPOINT: OTLP over HTTP, as in `http://collector:4318`; without a path `/v1/traces` is meant. */
  endpoint: string;
  version: string;
  /** Default 'colmeia'. */
  serviceName?: string;
  /** Of one export, its repeats included. Default 10,000. */
  timeoutMs?: number;
};

/** Spans of one request. */
const AT_ONCE = 512;
const INTERNAL = 0;
const SAMPLED = 1;
const OK = 1;
const ERROR = 2;

/** OpenTelemetry is loaded here and nowhere else, because it takes time and 28 MB: call it only when an endpoint is configured. */
export async function openTraceExporter(options: TraceExporterOptions): Promise<TraceExporter> {
  const { endpoint, version, serviceName = 'colmeia', timeoutMs = 10_000 } = options;
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  const exporter = new OTLPTraceExporter({ url: urlOf(endpoint), timeoutMillis: timeoutMs, concurrencyLimit: 4 });
  const resource = resourceFromAttributes({ 'service.name': serviceName, 'service.version': version });
  const scope = { name: 'colmeia', version };
  return {
    async export(spans) {
      for (let from = 0; from < spans.length; from += AT_ONCE) {
        const readable = spans.slice(from, from + AT_ONCE).map((span) => readableSpan(span, resource, scope));
        await new Promise<void>((resolve, reject) =>
          exporter.export(readable, ({ code, error }) =>
            code === 0 ? resolve() : reject(error ?? new Error('the trace collector refused')),
          ),
        );
      }
    },
    close: () => exporter.shutdown(),
  };
}

function urlOf(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return url.href;
}

/** What the exporter asks of a span that the SDK would have made; ours have ids of their own, so the SDK is not needed. */
function readableSpan(
  span: Span,
  resource: ReadableSpan['resource'],
  instrumentationScope: ReadableSpan['instrumentationScope'],
): ReadableSpan {
  const { traceId, spanId, parentId, error } = span;
  const endMs = Math.max(span.startMs, span.endMs);
  return {
    name: span.name,
    kind: INTERNAL,
    spanContext: () => ({ traceId, spanId, traceFlags: SAMPLED }),
    parentSpanContext: parentId === null ? undefined : { traceId, spanId: parentId, traceFlags: SAMPLED },
    startTime: hrTime(span.startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - span.startMs),
    status: error === null ? { code: OK } : { code: ERROR, message: error.slice(0, 1_000) },
    attributes: span.attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

const hrTime = (ms: number): [number, number] => [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)];

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia } from '../../src/index.ts';
import { logInto } from '../../src/interfaces/http/failure-log.testing.ts';
import { createHttpApp, type HttpAppOptions } from '../../src/interfaces/http/http-app.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';

export type Answer = { status: number; headers: Record<string, unknown>; text: string };
export type TestCall = {
  method: string;
  url: string;
  key?: string | null;
  headers?: Record<string, string>;
  body?: string | Buffer;
};

/** A whole control plane in memory behind its HTTP API. */
export type TestServer = {
  colmeia: Colmeia;
  /** The OpenAPI document as served. */
  document: OpenApi;
  operatorKey: string;
  /** What the edge logged as faults of ours. */
  failures: unknown[];
  /** A new company; gives its key. */
  found(name: string): Promise<string>;
  /** `key`: left out = the operator's; null = nobody's. An event stream is cut once its headers are there. */
  call(request: TestCall): Promise<Answer>;
  close(): Promise<void>;
};

export type OpenApi = {
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: { schemas: Record<string, Schema> };
};
export type OpenApiOperation = {
  operationId: string;
  security: object[];
  parameters?: { name: string; in: 'path' | 'query' | 'header'; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema; example?: unknown }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
};
export type Schema = { readonly [keyword: string]: unknown };

/** The document's operations as one list. */
export function operationsOf(document: OpenApi): { method: string; path: string; operation: OpenApiOperation }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

export async function createServerForTest(more: Partial<HttpAppOptions> = {}): Promise<TestServer> {
  const failures: unknown[] = [];
  const colmeia = await createColmeia({ dataFolder: null });
  const { app, beginClosing } = await createHttpApp({ colmeia, host: '127.0.0.1', log: logInto(failures), ...more });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const { key: operatorKey } = await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator' });
  const agent = new http.Agent({ keepAlive: true });
  return {
    colmeia,
    document: (await app.inject('/openapi.json')).json(),
    operatorKey,
    failures,
    async found(name) {
      await colmeia.instances.create(LOCAL_OPERATOR, { name });
      return (await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'company', instance: name })).key;
    },
    call: ({ key = operatorKey, headers, ...request }) =>
      send(agent, port, request, { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...headers }),
    async close() {
      agent.destroy();
      beginClosing();
      await app.close();
      await colmeia.close();
    },
  };
}

function send(
  agent: http.Agent,
  port: number,
  { method, url, body }: TestCall,
  headers: Record<string, string>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const request = http.request(
      { host: '127.0.0.1', port, method, path: url, agent, headers: { ...headers, ...length } },
      (response) => {
        const status = response.statusCode!;
        if (response.headers['content-type']?.startsWith('text/event-stream')) {
          resolve({ status, headers: response.headers, text: '' });
          return void request.destroy();
        }
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status, headers: response.headers, text: Buffer.concat(chunks).toString() }),
        );
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

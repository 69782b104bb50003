import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { FaultPlan, isInstead, playFault, send, type FakeAnswer } from './faults.ts';

export type FakeRequest = {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: http.IncomingHttpHeaders;
  bytes: Buffer;
  /** Parsed JSON; undefined = there is none. */
  body: unknown;
};

export type FakeServer = {
  /** `http://127.0.0.1:…` */
  url: string;
  /** Every call that came, with those that a fault answered. */
  requests: FakeRequest[];
  faults: FaultPlan;
  close(): Promise<void>;
};

/** A site on this machine that answers as `handle` says, or with a fault that was planned. */
export async function startFakeServer(handle: (request: FakeRequest) => FakeAnswer): Promise<FakeServer> {
  const requests: FakeRequest[] = [];
  const faults = new FaultPlan();
  const answer = async (incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const request = await read(incoming);
    requests.push(request);
    const fault = faults.take(request.method, request.path);
    if (fault === null) send(response, handle(request));
    else await playFault(fault, response, isInstead(fault) ? null : handle(request));
  };
  const server = http.createServer((incoming, response) => {
    answer(incoming, response).catch((error: unknown) => {
      if (!response.headersSent) send(response, { status: 500, body: { message: `the fake broke: ${String(error)}` } });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    faults,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function read(incoming: http.IncomingMessage): Promise<FakeRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const url = new URL(incoming.url ?? '/', 'http://fake');
  const isJson = /json/.test(incoming.headers['content-type'] ?? '') && bytes.length > 0;
  return {
    method: incoming.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    bytes,
    body: isJson ? (JSON.parse(bytes.toString()) as unknown) : undefined,
  };
}

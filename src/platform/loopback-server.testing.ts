import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The other side of a call, on this machine only. */
export type LoopbackServer = {
  /** `http://127.0.0.1:…` */
  address: string;
  /** Cuts what is still open. */
  close(): Promise<void>;
};

/** Calls `answer` with the whole body of each request; one that is cut before its end is passed over. `port` 0 = any that is free. */
export async function startLoopbackServer(
  answer: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void | Promise<void>,
  port = 0,
): Promise<LoopbackServer> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => void answer(request, response, Buffer.concat(chunks)));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

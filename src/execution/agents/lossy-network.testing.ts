import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A proxy that in turn loses a call before it arrives, and an answer on its way back; six in eight get through. */
export async function lossyNetwork(target: URL): Promise<{ address: string; lost(): number; close(): void }> {
  let lost = 0;
  let seen = 0;
  const proxy = createServer((request, response) => {
    const turn = request.url!.includes('/events') ? 0 : ++seen % 8;
    if (turn === 1) {
      lost++;
      request.socket.destroy();
      return;
    }
    const { method, url, headers } = request;
    const onward = httpRequest({ host: target.hostname, port: target.port, method, path: url, headers }, (answer) => {
      if (turn === 5) {
        lost++;
        answer.resume().on('end', () => request.socket.destroy());
        return;
      }
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => request.socket.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    proxy.closeAllConnections();
    proxy.close();
  };
  return { address: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, lost: () => lost, close };
}

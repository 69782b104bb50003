import type { AddressInfo } from 'node:net';
import { createHttpApp, type HttpAppOptions } from './http-app.ts';

export type HttpServer = {
  /** Base URL, as `http://127.0.0.1:7420`. */
  address: string;
  /** Refuses new calls, ends polls and streams, waits for calls under way as long as the grace allows. Idempotent. */
  close: () => Promise<void>;
};

/**
 * Serves the HTTP API of a Colmeia until closed. It does not close the Colmeia.
 * `host` defaults to loopback; `port` 0 takes any free port. Rejects when it cannot listen there.
 */
export async function startHttpServer(
  options: Omit<HttpAppOptions, 'host'> & { host?: string; port: number },
): Promise<HttpServer> {
  const host = options.host ?? '127.0.0.1';
  const { app, limits, beginClosing } = await createHttpApp({ ...options, host });
  app.server.headersTimeout = 15_000;
  app.server.maxConnections = limits.connections;
  await app.listen({ host, port: options.port, listenTextResolver: (address) => `listening at ${address}` });
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    beginClosing();
    const cut = setTimeout(() => app.server.closeAllConnections(), limits.closeGraceMs);
    await app.close();
    clearTimeout(cut);
  };
  return { address: baseUrl(app.server.address() as AddressInfo), close: () => (closed ??= close()) };
}

function baseUrl({ address, port }: AddressInfo): string {
  const host =
    address === '0.0.0.0' || address === '::' ? 'localhost' : address.includes(':') ? `[${address}]` : address;
  return `http://${host}:${port}`;
}

import { startFakeServer, type FakeRequest, type FakeServer } from './fake-http-server.ts';
import type { FakeAnswer } from './faults.ts';

export type VendorCall = FakeRequest & { params: Record<string, string> };
export type VendorRoute = [method: string, path: string, answer: (call: VendorCall) => FakeAnswer];

/** What a route throws to answer with an error of the vendor. */
export class VendorRefusal extends Error {
  readonly answer: FakeAnswer;
  constructor(status: number, body: unknown) {
    super(`refused with ${status}`);
    this.answer = { status, body };
  }
}

/**
 * A vendor on loopback that is a list of routes with `:name` parameters; of several that fit the first one answers.
 * `guard` comes before each route; null = go on.
 */
export async function startVendor(
  routes: VendorRoute[],
  guard: (call: FakeRequest) => FakeAnswer | null,
): Promise<FakeServer> {
  const compiled = routes.map(([method, path, answer]) => ({ method, match: pattern(path), answer }));
  const route = (call: FakeRequest): FakeAnswer => {
    for (const { method, match, answer } of compiled) {
      const found = call.method === method ? match.exec(call.path) : null;
      if (found === null) continue;
      const params = Object.entries(found.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]);
      return answer({ ...call, params: Object.fromEntries(params) as Record<string, string> });
    }
    return { status: 404, body: { message: `no route for ${call.method} ${call.path}` } };
  };
  return await startFakeServer((call) => {
    try {
      return guard(call) ?? route(call);
    } catch (error) {
      if (error instanceof VendorRefusal) return error.answer;
      throw error;
    }
  });
}

/** The JSON of a call; refuses what is none. */
export function jsonOf(call: VendorCall): Record<string, unknown> {
  if (call.body === undefined) throw new VendorRefusal(415, { message: 'Unsupported Media Type' });
  return call.body as Record<string, unknown>;
}

type UploadedFile = { name: string; type: string; content: Buffer };

/** The files of an upload; refuses one without the header against forged calls. */
export function filesOf(call: VendorCall): UploadedFile[] {
  if (!['no-check', 'nocheck'].includes(String(call.headers['x-atlassian-token']))) {
    throw new VendorRefusal(403, { message: 'XSRF check failed' });
  }
  const boundary = /boundary="?([^";]+)/.exec(call.headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) throw new VendorRefusal(415, { message: 'Unsupported Media Type' });
  // latin1 keeps every byte as one character.
  const parts = call.bytes.toString('latin1').split(`--${boundary}`).slice(1, -1);
  return parts.flatMap((part) => {
    const head = part.slice(0, part.indexOf('\r\n\r\n'));
    const filename = /name="file"; filename="([^"]*)"/.exec(head)?.[1];
    if (filename === undefined) return [];
    const content = Buffer.from(part.slice(head.length + 4, -2), 'latin1');
    const type = /content-type: *([^\r\n]+)/i.exec(head)?.[1] ?? 'application/octet-stream';
    return [{ name: Buffer.from(filename, 'latin1').toString('utf8').replaceAll('%22', '"'), type, content }];
  });
}

function pattern(path: string): RegExp {
  return new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`);
}

/** Beside a site: where its attachments lie, on another origin, which must not be sent the site's credentials. */
export async function withMedia<Site extends { url: string; mediaUrl: string }>(
  server: FakeServer,
  site: Site,
  contentOf: (id: string) => Buffer | undefined,
): Promise<FakeServer & { site: Site }> {
  const media = await startVendor(
    [['GET', '/media/:id', (call) => ({ status: 200, body: contentOf(call.params.id!) ?? Buffer.alloc(0) })]],
    (call) =>
      call.headers.authorization === undefined ? null : { status: 400, body: { message: 'credentials sent' } },
  );
  site.url = server.url;
  site.mediaUrl = media.url;
  const { close } = server;
  return Object.assign(server, { site, close: async () => void (await Promise.all([close(), media.close()])) });
}

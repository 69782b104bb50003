import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { startConfluence, type FakeConfluence } from './confluence-server.ts';
import { startJira, type FakeJira } from './jira-server.ts';

/** One Atlassian site as companies have it: Jira and, below `/wiki`, Confluence, under one address and one account. */
export type FakeAtlassian = {
  url: string;
  email: string;
  token: string;
  jira: FakeJira;
  confluence: FakeConfluence;
  close(): Promise<void>;
};

export async function startAtlassian(): Promise<FakeAtlassian> {
  const [jira, confluence] = [await startJira(), await startConfluence()];
  const front = http.createServer((incoming, response) => {
    const place = new URL(incoming.url!.startsWith('/wiki') ? confluence.url : jira.url);
    const { method, url: path, headers } = incoming;
    const options = { host: place.hostname, port: place.port, method, path, headers };
    const passed = http.request(options, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
  const { email, token } = jira.site;
  Object.assign(jira.site, { url });
  Object.assign(confluence.site, { url, email, token });
  const close = async (): Promise<void> => {
    front.closeAllConnections();
    await new Promise<void>((resolve) => front.close(() => resolve()));
    await Promise.all([jira.close(), confluence.close()]);
  };
  return { url, email, token, jira, confluence, close };
}

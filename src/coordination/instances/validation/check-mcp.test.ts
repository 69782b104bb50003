import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { temporaryInstances } from '../folder/company-folder.testing.ts';
import type { McpServer } from '../folder/company-config.ts';
import { checkMcp } from './check-mcp.ts';

const folder = temporaryInstances();
const bin = path.join(folder, 'bin');
const asked: http.IncomingHttpHeaders[] = [];
const server = http.createServer((request, response) => {
  asked.push(request.headers);
  if (request.url === '/hangs') return;
  response.writeHead(request.url === '/moved' ? 302 : 401, { location: 'http://192.0.2.1/' }).end('no');
});

before(async () => {
  fs.mkdirSync(bin);
  for (const [name, mode] of [
    ['tool', 0o755],
    ['plain', 0o644],
  ] as const) {
    fs.writeFileSync(path.join(bin, name), '', { mode });
    fs.writeFileSync(path.join(folder, name), '', { mode });
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
after(() => server.close());

async function found(servers: Record<string, McpServer>, limitMs = 60_000): Promise<string[]> {
  const signal = AbortSignal.timeout(limitMs);
  const faults = await checkMcp(
    { mcpServers: servers },
    { folder, searchPath: `relative${path.delimiter}${bin}`, fetch, signal },
  );
  return faults.map(({ code, place }) => `${code} ${place.split('.').at(-1)}`);
}
const url = (place: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${place}`;

describe('checkMcp', () => {
  it('finds commands that are not there or not executable', { skip: process.platform === 'win32' }, async () => {
    const servers = {
      path: { command: 'tool' },
      absolute: { command: path.join(bin, 'tool') },
      relative: { command: './tool' },
      missing: { command: 'no-such-tool' },
      plain: { command: 'plain' },
      folder: { command: '/' },
      disabled: { command: 'no-such-tool', disabled: true },
    };
    const missing = ['missing', 'plain', 'folder'].map((name) => `MCP_COMMAND_MISSING ${name}`);
    assert.deepEqual(await found(servers), missing);
  });

  it('takes any answer of a URL for one, follows nothing and sends no header of the file', async () => {
    asked.length = 0;
    const headers = { Authorization: 'hunter2' };
    assert.deepEqual(await found({ refuses: { url: url('/'), headers }, moved: { url: url('/moved'), headers } }), []);
    assert.equal(asked.length, 2);
    assert.doesNotMatch(JSON.stringify(asked), /hunter2/);
  });

  it('finds URLs that do not answer in time, and those that would go through the net in the clear', async () => {
    const servers = {
      hangs: { url: url('/hangs') },
      clear: { url: 'http://mcp.example/' },
      tricky: { url: 'http://127.0.0.1.example/' },
    };
    assert.deepEqual(await found(servers, 50), [
      'MCP_URL_UNREACHABLE hangs',
      'MCP_URL_INSECURE clear',
      'MCP_URL_INSECURE tricky',
    ]);
    assert.deepEqual(await checkMcp(null, { folder, searchPath: '', fetch, signal: AbortSignal.timeout(1) }), []);
  });
});

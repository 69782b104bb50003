import fs from 'node:fs/promises';
import path from 'node:path';
import { NOT_PUBLIC } from '../../../connectors/outside/public-address.ts';
import type { McpConfig, McpServer } from '../folder/company-config.ts';
import type { CompanyFault } from '../instance-views.ts';
import { companyFault } from './validation-codes.ts';

export type McpCheck = {
  /** Of the company: a command with a slash is relative to it. */
  folder: string;
  /** As the variable PATH has it. */
  searchPath: string;
  /** Rejects with a cause of the code NOT_PUBLIC for an address that must not be asked. */
  fetch: typeof fetch;
  signal: AbortSignal;
};

const PRIVATE = 'its address is of this machine or a private network, which COLMEIA_PRIVATE_ADDRESSES does not allow';
const URL_TIMEOUT_MS = 2_000;
/** Servers that are asked at a time. */
const AT_ONCE = 8;

/** Whether each server of mcp.json could be used: its command is there, its URL answers. Nothing is run, no secret is sent. */
export async function checkMcp(mcp: McpConfig | null, check: McpCheck): Promise<CompanyFault[]> {
  const servers = Object.entries(mcp?.mcpServers ?? {}).filter(([, server]) => server.disabled !== true);
  const faults: (CompanyFault | null)[] = [];
  for (let n = 0; n < servers.length; n += AT_ONCE) {
    const some = servers
      .slice(n, n + AT_ONCE)
      .map(([name, server]) => checkServer(`mcp.json: mcpServers.${name}`, server, check));
    faults.push(...(await Promise.all(some)));
  }
  return faults.filter((fault) => fault !== null);
}

async function checkServer(place: string, server: McpServer, check: McpCheck): Promise<CompanyFault | null> {
  if (server.command === undefined) return checkUrl(place, server.url!, check);
  if (await isExecutable(server.command, check)) return null;
  return companyFault('MCP_COMMAND_MISSING', place, 'its command is not on PATH, or is not executable');
}

async function checkUrl(place: string, text: string, { fetch: ask, signal }: McpCheck): Promise<CompanyFault | null> {
  const url = URL.parse(text);
  if (url === null) return companyFault('MCP_URL_UNREACHABLE', place, 'its URL is none');
  if (url.protocol !== 'https:' && !isLoopback(url.hostname))
    return companyFault('MCP_URL_INSECURE', place, 'its URL is neither https nor of this machine');
  try {
    // Any answer will do: without the headers of mcp.json it may well refuse.
    const limit = AbortSignal.any([signal, AbortSignal.timeout(URL_TIMEOUT_MS)]);
    const response = await ask(url, { redirect: 'manual', signal: limit });
    await response.body?.cancel();
    return null;
  } catch (error) {
    const isPrivate = (error as { cause?: { code?: string } }).cause?.code === NOT_PUBLIC;
    const why = isPrivate ? `is not asked: ${PRIVATE}` : 'does not answer';
    return companyFault('MCP_URL_UNREACHABLE', place, `${url.host} ${why}`);
  }
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);

const EXTENSIONS = process.platform === 'win32' ? ['', '.exe', '.cmd', '.bat'] : [''];

async function isExecutable(command: string, { folder, searchPath }: McpCheck): Promise<boolean> {
  const folders = /[/\\]/.test(command)
    ? [folder]
    : searchPath.split(path.delimiter).filter((one) => path.isAbsolute(one));
  for (const place of folders) {
    for (const extension of EXTENSIONS) {
      const file = path.resolve(place, `${command}${extension}`);
      const isThere = await fs.access(file, fs.constants.X_OK).then(
        async () => (await fs.stat(file)).isFile(),
        () => false,
      );
      if (isThere) return true;
    }
  }
  return false;
}

import dns from 'node:dns';
import net from 'node:net';
import { Agent, buildConnector, fetch as undiciFetch } from 'undici';

/** Code of the error of a connection that was not made because of where it would have led. */
export const NOT_PUBLIC = 'ERR_NOT_PUBLIC';

/** Addresses that are not of the public internet: this machine, private and local networks, and what stands for them. */
const OTHERS = new net.BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  OTHERS.addSubnet(network, bits, 'ipv4');
/** Of IPv6 only what is given out to the public, but for the parts of it that carry an IPv4 address or are for examples. */
const PUBLIC6 = new net.BlockList();
PUBLIC6.addSubnet('2000::', 3, 'ipv6');
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  OTHERS.addSubnet(network, bits, 'ipv6');

export function isPublicAddress(address: string): boolean {
  if (net.isIPv4(address)) return !OTHERS.check(address, 'ipv4');
  return net.isIPv6(address) && PUBLIC6.check(address, 'ipv6') && !OTHERS.check(address, 'ipv6');
}

type Connector = ReturnType<typeof buildConnector>;

/**
 * Connects to public addresses alone. The address is looked at that is connected to, so neither a name that leads elsewhere nor a
 * redirect gets around it.
 */
export function publicConnector(timeoutMs: number): Connector {
  const connect = buildConnector({ timeout: timeoutMs, lookup: lookUpPublic } as buildConnector.BuildOptions);
  return (options, callback) => {
    const host = options.hostname.replace(/^\[(.*)\]$/, '$1'); // names are left to the look-up
    if (net.isIP(host) !== 0 && !isPublicAddress(host)) callback(notPublic(), null);
    else connect(options, callback);
  };
}

/** A socket for drivers that call `connect(port, host)` themselves; it comes to no address that is not public. */
export function publicSocket(): net.Socket {
  const socket = new net.Socket();
  const connect = socket.connect.bind(socket) as (options: net.TcpSocketConnectOpts) => net.Socket;
  const connectPublic = (port: number, host: string): net.Socket => {
    if (net.isIP(host) === 0 || isPublicAddress(host)) return connect({ port, host, lookup: lookUpPublic });
    return socket.destroy(notPublic());
  };
  return Object.assign(socket, { connect: connectPublic });
}

const lookUpPublic: net.LookupFunction = (host, options, callback) => {
  dns.lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '');
    if (!addresses.every(({ address }) => isPublicAddress(address))) return callback(notPublic(), '');
    if (options.all === true) callback(null, addresses);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  });
};

function notPublic(): NodeJS.ErrnoException {
  return Object.assign(new Error('the address is not public'), { code: NOT_PUBLIC });
}

/** A `fetch` that reaches public addresses alone, and keeps no connection for a second call. */
export const publicFetch = (async (input: string | URL, init: RequestInit = {}) => {
  const agent = new Agent({ connect: publicConnector(10_000), pipelining: 0 });
  try {
    return await undiciFetch(input, { ...(init as object), dispatcher: agent });
  } finally {
    void agent.close().catch(() => undefined);
  }
}) as unknown as typeof globalThis.fetch;

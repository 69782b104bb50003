const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|::1)$/;

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host.toLowerCase());
}

/**
 * Whether a Host header may be answered. A server on loopback answers only to names of loopback: a page in a browser
 * that points its own name at 127.0.0.1 (DNS rebinding) is refused. A server for others answers to every name.
 */
export function hostGuard(bound: string, alsoAllowed: readonly string[] = []): (header: string | undefined) => boolean {
  if (!isLoopback(bound)) return () => true;
  const allowed = new Set([bound, ...alsoAllowed].map((name) => name.toLowerCase()));
  return (header) => {
    if (header === undefined) return true; // HTTP/1.0, which no browser speaks
    const name = hostName(header);
    return isLoopback(name) || allowed.has(name);
  };
}

/** The name in a Host header, without port and brackets. */
function hostName(header: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(header);
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase();
}

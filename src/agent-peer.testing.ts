import { setTimeout as sleep } from 'node:timers/promises';
import { type LoopbackServer, startLoopbackServer } from './platform/loopback-server.testing.ts';

// oxlint-disable-next-line no-explicit-any -- whatever came over the wire
type Call = { path: string; body: Record<string, any>; headers: Record<string, any> };
type Reply = { status?: number; body?: unknown; cut?: boolean };

/** The other side of the protocol, with a queue of leases. Source: contracts.md, agent protocol over HTTP. */
export class AgentPeer {
  readonly calls: Call[] = [];
  readonly answered = new Map<string, unknown>();
  queue: Record<string, unknown>[] = [];
  leaseDurationMs = 30_000;
  /** Changes the answer to a call; undefined = the usual one. */
  disturb: (call: Call, nth: number) => Reply | undefined = () => undefined;
  #server!: LoopbackServer;
  #waiting: (() => void)[] = [];
  draining = false;
  openPolls = 0;
  mostPolls = 0;

  async open(port = 0): Promise<string> {
    this.#server = await startLoopbackServer(async (request, response, bytes) => {
      const text = bytes.toString();
      const call: Call = { path: request.url!, body: text === '' ? {} : JSON.parse(text), headers: request.headers };
      this.calls.push(call);
      const nth = this.to(call.path).length;
      if (call.path.endsWith('/leases')) {
        this.mostPolls = Math.max(this.mostPolls, ++this.openPolls);
        response.once('close', () => this.openPolls--);
      }
      const disturbed = this.disturb(call, nth);
      if (disturbed?.cut) {
        // The server did its work; only the answer is lost.
        if (disturbed.body === undefined) await this.#answer(call);
        return void request.socket.destroy();
      }
      const { status, body } = disturbed ?? { status: 200, body: await this.#answer(call) };
      response.writeHead(status ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}));
    }, port);
    return this.#server.address;
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  offer(...ids: string[]): void {
    for (const lease_id of ids) {
      this.queue.push({
        lease_id,
        fencing_token: 5,
        attempt: 1,
        expires_at: Date.now() + this.leaseDurationMs,
        ticket: { ticket_id: `t-${lease_id}`, parameters: { name: lease_id } },
      });
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }

  to(path: string): Call[] {
    return this.calls.filter((call) => call.path === path);
  }

  async until(path: string, count = 1): Promise<Call> {
    for (const end = Date.now() + 5_000; this.to(path).length < count; await sleep(5)) {
      if (Date.now() > end)
        throw new Error(`no call ${count} to ${path}; there were ${this.calls.map((call) => call.path).join(' ')}`);
    }
    return this.to(path)[count - 1]!;
  }

  async #answer({ path, body, headers }: Call): Promise<unknown> {
    if (path === '/api/v1/agents')
      return { agent_id: body.agent_id, heartbeat_interval_ms: 10_000, lease_duration_ms: this.leaseDurationMs };
    if (path.endsWith('/drain')) {
      this.draining = true;
      for (const wake of this.#waiting.splice(0)) wake();
    }
    if (path.endsWith('/heartbeat')) return { expires_at: Date.now() + this.leaseDurationMs, cancel: false };
    if (!path.endsWith('/leases')) return {};
    const key = headers['idempotency-key'] as string;
    if (this.answered.has(key)) return this.answered.get(key);
    if (this.queue.length === 0 && !this.draining)
      await Promise.race([
        new Promise<void>((resolve) => this.#waiting.push(resolve)),
        sleep(body.wait_ms, undefined, { ref: false }),
      ]);
    const answer = { leases: this.draining ? [] : this.queue.splice(0, body.max) };
    this.answered.set(key, answer);
    return answer;
  }
}

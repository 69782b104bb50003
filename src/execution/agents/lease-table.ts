import type { Lease } from './agent.ts';

/** Leases by their id and by the key of their agent, which need not be known: after a restart it comes when it comes. */
export class LeaseTable {
  readonly #byId = new Map<string, Lease>();
  readonly #byAgent = new Map<string, Set<Lease>>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Lease | undefined {
    return this.#byId.get(id);
  }

  has(lease: Lease): boolean {
    return this.#byId.has(lease.leaseId);
  }

  all(): IterableIterator<Lease> {
    return this.#byId.values();
  }

  /** Those of an agent; changes with the table until `forget`. */
  of(agent: string): ReadonlySet<Lease> {
    let leases = this.#byAgent.get(agent);
    if (leases === undefined) this.#byAgent.set(agent, (leases = new Set()));
    return leases;
  }

  add(lease: Lease): void {
    this.#byId.set(lease.leaseId, lease);
    (this.of(lease.agent) as Set<Lease>).add(lease);
  }

  delete(lease: Lease): void {
    this.#byId.delete(lease.leaseId);
    this.#byAgent.get(lease.agent)?.delete(lease);
  }

  /** The agent is not known any more; what it holds stays. */
  forget(agent: string): void {
    if (this.#byAgent.get(agent)?.size === 0) this.#byAgent.delete(agent);
  }
}

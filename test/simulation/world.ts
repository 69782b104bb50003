import type { Lease } from '../../src/execution/agents/agent.ts';
import { instanceNoOf } from '../../src/execution/plans/plan.ts';
import { isColmeiaError, type ErrorCode } from '../../src/platform/errors.ts';
import { Invariants, liveTokens } from './invariants.ts';
import { MemoryDatabase } from './memory-database.ts';
import type { Weather } from './memory-store.ts';
import type { Plant } from './planted-bugs.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { seededRandom, VirtualTime } from './virtual-time.ts';

export type Hostility = 'agents' | 'commits' | 'outages' | 'kills' | 'fights' | 'people' | 'copies';
const ALL: Hostility[] = ['agents', 'commits', 'outages', 'kills', 'fights', 'people', 'copies'];
const PASSING = new Set<ErrorCode>(['NOT_OWNER', 'STORE_UNAVAILABLE', 'SHUTTING_DOWN', 'QUEUE_FULL']);

/** Everything of one run: time, chance, the database, the processes, and what was promised to whom. */
export class World {
  readonly time = new VirtualTime();
  readonly random: () => number;
  readonly tier: 'embedded' | 'server';
  readonly companies: readonly string[];
  readonly database: MemoryDatabase;
  readonly invariants: Invariants;
  readonly plant: Plant;
  readonly processes: SimulatedProcess[] = [];
  /** After this all is well: no fault, nobody meddles. */
  readonly calmAt: number;
  readonly hostile: ReadonlySet<Hostility>;
  isDone = false;
  #outageUntil = 0;

  constructor(seed: number, plant: Plant) {
    this.random = seededRandom(seed);
    this.plant = plant;
    this.tier = this.random() < 0.5 ? 'embedded' : 'server';
    this.companies = this.random() < 0.7 ? ['acme'] : ['acme', 'bela'];
    this.hostile = new Set(ALL.filter(() => this.random() < 0.55));
    this.calmAt = this.time.now + 6_000 + Math.floor(this.random() * 10_000);
    this.database = new MemoryDatabase(this.companies, plant.database);
    this.invariants = new Invariants(this.database);
  }

  get isOver(): boolean {
    return this.isDone || this.invariants.violation !== null;
  }

  get isCalm(): boolean {
    return this.time.now >= this.calmAt;
  }

  isHostile(what: Hostility): boolean {
    return !this.isCalm && this.hostile.has(what);
  }

  instanceOf(key: number): string {
    return this.companies[instanceNoOf(key) - 1] ?? 'nobody';
  }

  /** A living process, as a load balancer would choose it. */
  pick(): SimulatedProcess | null {
    const alive = this.processes.filter((process) => process.isAlive);
    return alive[Math.floor(this.random() * alive.length)] ?? null;
  }

  startProcess(): SimulatedProcess {
    const process = new SimulatedProcess({ ...this, weather: (kind) => this.#weather(kind) });
    this.processes.push(process);
    void process.own(this.companies);
    return process;
  }

  beginOutage(ms: number): void {
    this.#outageUntil = this.time.now + ms;
  }

  #weather(kind: 'flush' | 'read' | 'write'): Weather {
    const { random } = this;
    const weather: Weather = { beforeMs: random() * 8, afterMs: random() * 8, fault: 'none' };
    if (!this.isCalm && this.time.now < this.#outageUntil) weather.fault = 'refused';
    else if (kind !== 'read' && this.isHostile('commits') && random() < 0.06)
      weather.fault = random() < 0.5 ? 'refused' : 'lost answer';
    return weather;
  }

  /** A scheduler that begins copies wherever it likes: of what runs, and now and then of what does not. */
  copySomething(): void {
    const process = this.pick();
    const keys = [...this.database.plans.values()].filter(({ ended_at }) => ended_at === null).map(({ key }) => key);
    const key = keys[Math.floor(this.random() * keys.length)];
    if (process === null || key === undefined) return;
    const rows = this.database.ticketsOf(key);
    const running = rows.filter(({ status }) => status === 'running');
    const from = running.length > 0 && this.random() < 0.9 ? running : rows;
    const n = from[Math.floor(this.random() * from.length)]?.n ?? 0;
    process.engine.copy({ key, n, agent: `$system/agent-${Math.floor(this.random() * 3)}` });
  }

  giveBack(lease: Lease): void {
    for (const process of this.processes) if (process.isAlive) process.engine.release(lease);
  }

  /** An agent has a lease only when the database has it. */
  checkLease({ plan, n, fence, leaseId }: Lease): void {
    const row = this.database.tickets.get(`${plan}/${n}`);
    if (row === undefined || row.fence < fence)
      this.invariants.broken(`lease ${leaseId} was handed out before its commit`);
  }

  checkCompleted({ plan, n, fence }: Pick<Lease, 'plan' | 'n' | 'fence'>): void {
    if (!this.invariants.completions.has(`${plan}/${n}/${fence}`)) {
      this.invariants.broken(`the result of ticket ${plan}/${n} under ${fence} was acknowledged and is not kept`);
    }
  }

  checkFailed({ plan, n, fence }: Pick<Lease, 'plan' | 'n' | 'fence'>): void {
    const row = this.database.tickets.get(`${plan}/${n}`);
    if (row === undefined || liveTokens(row).includes(fence)) {
      this.invariants.broken(`the failure of ticket ${plan}/${n} under ${fence} was acknowledged and it runs on`);
    }
  }

  /** An error that a caller may meet while things are out of order, and only then. */
  checkPassing(error: unknown, what: string): void {
    const { message, code } = error as { message?: string; code?: string };
    if (message === 'CONNECTION_LOST' || [...PASSING].some((passing) => isColmeiaError(error, passing))) return;
    if (code === 'CM001' || code === '23505') {
      if (!this.hostile.has('fights') && !this.hostile.has('kills'))
        this.invariants.broken(`${what}: ${message} without another writer`);
      return;
    }
    this.invariants.broken(`${what} was answered with ${(error as Error)?.stack ?? String(error)}`);
  }
}

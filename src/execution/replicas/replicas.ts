import crypto from 'node:crypto';
import { isColmeiaError } from '../../platform/errors.ts';
import type { OwnershipLocks } from '../../platform/store/ownership-locks.ts';
import type { Store } from '../../platform/store/store.ts';
import type { InstanceDirectory } from '../../trust/identity/instance-directory.ts';
import type { SignOfLife } from '../agents/live-agent.ts';
import type { FlowEngine } from '../flow/flow-engine.ts';
import { PeerClient, servePeers, type PeerMethods } from './peers.ts';
import { oldReplicaNos, deleteReplicas, insertReplica, listReplicas, type Replica } from './replica-store.ts';
import { divide, SHARDS, shardOf } from './shard.ts';

const REPLICA = 0x636f01; // kinds of advisory locks: a living replica, a shard
const SHARD = 0x636f02;
const TICK_MS = 1_000;
const CHANNEL = 'colmeia_ownership';
/** Full looks at the list of companies, should the news of a new one be lost. */
const COMPANIES_EVERY_TICKS = 30;

export type ReplicasOptions = {
  store: Store;
  locks: OwnershipLocks;
  engine: FlowEngine;
  instances: InstanceDirectory;
  /** Where the other replicas reach this one; null = host and the port that was given. */
  advertise: string | null;
  host: string;
  methods: PeerMethods;
  /** Signs of life of agents since it was last asked: they go to the other replicas. */
  heard: () => SignOfLife[];
  /** How often. Default 1,000. */
  heardEveryMs?: number;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
};

/**
 * The replicas of one database divide the companies among themselves by advisory locks, one per shard: whoever holds the
 * lock is the companies' writer. A dead replica's session ends with it, its locks are free, and the others take them at
 * their next look, once a second. The journal fences whoever has not noticed yet.
 */
export class Replicas {
  readonly client = new PeerClient();
  readonly #options: ReplicasOptions;
  readonly #mine = new Set<number>();
  /** Number of its row; another one after each loss of its locks, as the others may have removed the row meanwhile. */
  #no = 0;
  #self = { address: '', token: '' };
  #server: { close(): Promise<void> } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #signsTimer: NodeJS.Timeout | null = null;
  #ticking: Promise<void> | null = null;
  #stopped = false;
  #ticks = 0;
  #stopListening: () => void = () => {};
  #alive = new Map<number, Replica>();
  #ownerOfShard = new Map<number, number>();

  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { store, locks, host, advertise, methods } = this.#options;
    const token = crypto.randomBytes(32).toString('base64url');
    const port = advertise === null ? 0 : Number(new URL(advertise).port || 0);
    const server = await servePeers({ host, port, token, methods });
    this.#server = server;
    const address = advertise ?? `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
    this.#self = { address, token };
    await this.#announce();
    locks.onLost((reason) => this.#lost(reason));
    this.#stopListening = await store.listen(CHANNEL, (companies) => {
      if (companies !== '') this.#ticks = 0;
      void this.tick();
    });
    await this.tick();
    await this.#tell('');
    this.#timer = setInterval(() => void this.tick(), TICK_MS);
    this.#signsTimer = setInterval(() => this.#tellSigns(), this.#options.heardEveryMs ?? 1_000);
  }

  async #announce(): Promise<boolean> {
    const { store, locks } = this.#options;
    this.#no = await insertReplica(store, this.#self.address, this.#self.token);
    return locks.tryLock(REPLICA, this.#no);
  }

  /** Gives everything up, so that the others need not wait. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearInterval(this.#timer);
    if (this.#signsTimer) clearInterval(this.#signsTimer);
    this.#stopListening();
    await this.#ticking?.catch(() => {});
    await this.client.close();
    await this.#server?.close();
    await this.#options.locks.close();
    await this.#tell('').catch(() => {});
    await deleteReplicas(this.#options.store, [this.#no]).catch(() => {});
  }

  /** The replica that owns a company, as last seen; null = nobody, or this one. */
  ownerOf(instance: string): Replica | null {
    return this.#alive.get(this.#ownerOfShard.get(shardOf(instance)) ?? -1) ?? null;
  }

  others(): Replica[] {
    return [...this.#alive.values()].filter((replica) => replica.no !== this.#no);
  }

  /** A company was made: its owner learns of it. */
  async created(): Promise<void> {
    this.#ticks = 0;
    await this.tick();
    await this.#tell('created');
  }

  /** Looks who is there and who holds what, and takes or gives. One at a time; never throws. */
  tick(): Promise<void> {
    this.#ticking ??= this.#look()
      .catch((error: unknown) => {
        const level = isColmeiaError(error, 'STORE_UNAVAILABLE') ? 'info' : 'error';
        this.#options.log(level, { err: error }, 'could not look after the companies of this replica');
      })
      .finally(() => (this.#ticking = null));
    return this.#ticking;
  }

  async #look(): Promise<void> {
    if (this.#stopped) return;
    const { locks, store, engine } = this.#options;
    if (locks.backendPid === null) return;
    const replicas = await locks.holders(REPLICA);
    if (!replicas.has(this.#no) && !(await this.#announce())) return;
    replicas.set(this.#no, locks.backendPid);
    const shards = await locks.holders(SHARD);
    await this.#meet([...replicas.keys()]);
    const noOfPid = new Map([...replicas].map(([no, pid]) => [pid, no]));
    this.#ownerOfShard = new Map([...shards].map(([shard, pid]) => [shard, noOfPid.get(pid) ?? -1]));
    await this.#giveUpStrays();
    const { take, give } = divide(this.#mine, new Set(shards.keys()), replicas.size);
    let hasChanged = false;
    for (const shard of take) {
      if (!(await locks.tryLock(SHARD, shard))) continue;
      this.#mine.add(shard);
      this.#ownerOfShard.set(shard, this.#no);
      hasChanged = true;
    }
    if (give.length > 0) {
      const leaving = new Set(give);
      await engine.disown(engine.ownedCompanies().filter((name) => leaving.has(shardOf(name))));
      for (const shard of give) {
        this.#mine.delete(shard);
        await locks.unlock(SHARD, shard);
      }
      await this.#tell('');
    }
    if (hasChanged || this.#ticks++ % COMPANIES_EVERY_TICKS === 0) await this.#ownCompanies();
    if (this.#ticks === 1)
      await deleteReplicas(
        store,
        (await oldReplicaNos(store)).filter((no) => !replicas.has(no)),
      );
  }

  async #meet(nos: readonly number[]): Promise<void> {
    const strangers = nos.filter((no) => !this.#alive.has(no));
    if (strangers.length > 0)
      for (const replica of await listReplicas(this.#options.store, strangers)) this.#alive.set(replica.no, replica);
    for (const no of this.#alive.keys()) if (!nos.includes(no)) this.#alive.delete(no);
  }

  /** An agent that talks to one replica is alive for all. */
  #tellSigns(): void {
    const signs = this.#options.heard();
    if (signs.length === 0) return;
    for (const other of this.others()) void this.client.call(other, 'agentsHeard', signs).catch(() => {}); // there will be more
  }

  /** Companies whose lock went while the engine could not be told, or while they came. */
  async #giveUpStrays(): Promise<void> {
    const { engine } = this.#options;
    const strays = engine.ownedCompanies().filter((name) => !this.#mine.has(shardOf(name)));
    if (strays.length > 0) await engine.disown(strays);
  }

  async #ownCompanies(): Promise<void> {
    const { instances, engine } = this.#options;
    const names = (await instances.all())
      .map((instance) => instance.name)
      .filter((name) => this.#mine.has(shardOf(name)));
    await engine.own(names);
  }

  /** The locks went with the connection: from now on others may write. */
  #lost(reason: string): void {
    this.#mine.clear();
    this.#ownerOfShard.clear();
    this.#ticks = 0;
    const { engine, log } = this.#options;
    log('warn', { reason }, 'the locks of this replica are gone; it looks again');
    void engine.disown(engine.ownedCompanies()).catch(() => {});
  }

  async #tell(news: string): Promise<void> {
    await this.#options.store.notify(CHANNEL, news).catch(() => {}); // the others look once a second anyway
  }

  /** How many shards are held here, of how many. */
  get shards(): { held: number; all: number } {
    return { held: this.#mine.size, all: SHARDS };
  }
}

import pg from 'pg';

import {
  breakerBegan,
  breakerFailed,
  breakerState,
  breakerSucceeded,
  type CircuitBreaker,
  type CircuitBreakerSettings,
  newCircuitBreaker,
} from '../../../../platform/circuit-breaker.ts';
import { type Clock } from '../../../../platform/clock.ts';
import { clientConfig, endClient, KEEP_ALIVE, sessionOf } from '../../../../platform/store/server-connection.ts';
import { isConnectionLoss } from '../../../../platform/store/server-errors.ts';
import { type Session, sqlLiteral } from '../../../../platform/store/transaction.ts';
import { type CompanyPlace } from '../company-databases.ts';
import { companyUnavailable } from '../unavailable.ts';
import { publicSocket } from '../../../../connectors/outside/public-address.ts';
import { explainError } from './explain-error.ts';

const BREAKER: CircuitBreakerSettings = {
  breaker_consecutive: 2,
  breaker_share: 0.7,
  breaker_volume: 10,
  breaker_open_ms: 2_000,
  breaker_open_max_ms: 60_000,
  breaker_probe_ms: 10_000,
  breaker_quota_ms: 60_000,
};
const PER_COMPANY = 4;
const IDLE_MS = 10_000;
const WAIT_MS = 5_000;

export type CompanyConnectionsOptions = {
  clock: Clock;
  /** Most connections to companies' databases of this process, in use and idle. Default 40. */
  most?: number;
};

/**
 * Ends a session at the server. A statement goes on there though nobody waits for it any more, for ever when whoever wrote it
 * switched its timeouts off.
 */
export type Terminate = (pid: number) => Promise<unknown>;
export const TERMINATE = `select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where pid = $1 and usename = $2`;

/**
 * Of whom a connection is. `key`: never another company's, and another one when its database lies elsewhere. `publicOnly`: that is
 * the public internet. `setPassword`: gives the role the password of its URL once more.
 */
type Whose = { key: string; publicOnly?: boolean; terminate: Terminate; setPassword?: () => Promise<void> } & Pick<
  CompanyPlace,
  'id' | 'instance'
>;
type Idle = { key: string; client: pg.Client; timer: NodeJS.Timeout };

/**
 * Connections as companies' roles: few for each, all of them together capped, closed when idle. A company whose database is away or
 * hangs holds at most four of them, and after two failures in a row is refused at once for a while.
 */
export class CompanyConnections {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #idle: Idle[] = []; // the one used longest ago first
  readonly #inUse = new Map<string, Set<pg.Client | null>>();
  readonly #breakers = new Map<string, CircuitBreaker>();
  readonly #waiting: { key: string; go: () => void }[] = [];
  #closed = false;

  constructor(options: CompanyConnectionsOptions) {
    this.#clock = options.clock;
    this.#most = options.most ?? 40;
  }

  /** Runs `work` on a connection of the company alone; `url` is asked when a new one is needed. */
  async use<T>(whose: Whose, url: () => Promise<string>, work: (session: Session) => Promise<T>): Promise<T> {
    const { key, instance } = whose;
    const breaker = this.#breakerOf(key);
    const at = this.#clock.now();
    if (['open', 'probing'].includes(breakerState(breaker, at, BREAKER))) {
      throw companyUnavailable(instance, 'it failed twice in a row; it is tried again soon');
    }
    await this.#room(whose);
    breakerBegan(breaker, at, BREAKER);
    const lent: { client: pg.Client | null } = { client: null };
    let isBroken = true;
    try {
      lent.client = await this.#connect(whose, url);
      const session = sessionOf(lent.client);
      try {
        return await work(session);
      } finally {
        isBroken = session.broken;
      }
    } catch (error) {
      throw explainError(error, instance);
    } finally {
      if (isBroken) breakerFailed(breaker, this.#clock.now(), BREAKER);
      else breakerSucceeded(breaker, at);
      if (isBroken) await terminateAt(lent.client, whose);
      await this.#giveBack(key, lent.client, isBroken);
    }
  }

  /** Forgets earlier failures: something was done about them. */
  tryAgain(key: string): void {
    this.#breakers.delete(key);
  }

  /** Closes the company's connections, those in use too, and forgets what is known of it. */
  async end(key: string): Promise<void> {
    const idle = this.#takeIdle((one) => one.key === key);
    const inUse = [...(this.#inUse.get(key) ?? [])].filter((client) => client !== null);
    this.#breakers.delete(key);
    await Promise.all([...idle, ...inUse].map(endClient));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { go } of this.#waiting.splice(0)) go();
    const inUse = [...this.#inUse.values()].flatMap((clients) => [...clients]).filter((client) => client !== null);
    await Promise.all([...this.#takeIdle(() => true), ...inUse].map(endClient));
  }

  #breakerOf(key: string): CircuitBreaker {
    let breaker = this.#breakers.get(key);
    if (breaker === undefined) this.#breakers.set(key, (breaker = newCircuitBreaker()));
    return breaker;
  }

  /** Waits until one more connection of the company may be in use. */
  async #room({ key, instance }: Whose): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (!this.#mayUse(key)) {
      let timer: NodeJS.Timeout | undefined;
      const waiter = { key, go: (): void => undefined };
      const woken = new Promise<boolean>((resolve) => {
        waiter.go = () => resolve(true);
        timer = setTimeout(() => resolve(false), Math.max(0, deadline - performance.now()));
      });
      this.#waiting.push(waiter);
      const isWoken = await woken;
      clearTimeout(timer);
      if (!isWoken) this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      if (!isWoken) throw companyUnavailable(instance, `no connection became free in ${WAIT_MS} ms`);
    }
    if (this.#closed) throw companyUnavailable(instance, 'it is closed');
    const own = this.#inUse.get(key) ?? new Set();
    this.#inUse.set(key, own.add(null)); // its place, until there is a client
  }

  #mayUse(key: string): boolean {
    if (this.#closed) return true; // to be told so
    const own = this.#inUse.get(key);
    if (own?.has(null) === true || (own?.size ?? 0) >= PER_COMPANY) return false; // one connects at a time
    const inUse = [...this.#inUse.values()].reduce((sum, { size }) => sum + size, 0);
    return inUse < this.#most;
  }

  async #connect(whose: Whose, url: () => Promise<string>): Promise<pg.Client> {
    const own = this.#inUse.get(whose.key)!;
    const at = this.#idle.findLastIndex((one) => one.key === whose.key);
    const [idle] = at === -1 ? [] : this.#idle.splice(at, 1);
    if (idle !== undefined) clearTimeout(idle.timer);
    const client = idle?.client ?? (await this.#connectAnew(whose, url));
    own.delete(null);
    own.add(client);
    this.#wake();
    return client;
  }

  async #connectAnew(whose: Whose, url: () => Promise<string>): Promise<pg.Client> {
    const total = this.#idle.length + [...this.#inUse.values()].reduce((sum, { size }) => sum + size, 0);
    if (total > this.#most) {
      const [oldest] = this.#idle.splice(0, 1);
      clearTimeout(oldest?.timer);
      if (oldest !== undefined) void endClient(oldest.client);
    }
    const name = `company ${whose.id}`; // other logins read it
    return connected(whose, async () => {
      const client = new pg.Client({ ...clientConfig(await url(), name), ...wayOf(whose) });
      client.on('error', () => this.#drop(client)); // one at work says so by its next statement
      return client;
    });
  }

  /** What a session of the company left behind is not for the next one. */
  async #giveBack(key: string, client: pg.Client | null, isBroken: boolean): Promise<void> {
    const isClean = client !== null && !isBroken && !this.#closed && (await wasCleaned(client));
    const own = this.#inUse.get(key)!;
    own.delete(client);
    if (own.size === 0) this.#inUse.delete(key);
    if (client !== null && !isClean) void endClient(client);
    if (client !== null && isClean) {
      const timer = setTimeout(() => this.#drop(client), IDLE_MS);
      timer.unref();
      this.#idle.push({ key, client, timer });
    }
    this.#wake();
  }

  #drop(client: pg.Client): void {
    for (const idle of this.#takeIdle((one) => one.client === client)) void endClient(idle);
  }

  #takeIdle(which: (idle: Idle) => boolean): pg.Client[] {
    const taken = this.#idle.filter(which);
    for (const idle of taken) {
      clearTimeout(idle.timer);
      this.#idle.splice(this.#idle.indexOf(idle), 1);
    }
    return taken.map(({ client }) => client);
  }

  /** Each looks again whether there is room for it; who finds none waits on. */
  #wake(): void {
    for (const { go } of this.#waiting.splice(0)) go();
  }
}

/** A role may change its own password; the one that is kept is set again then, once. */
async function connected(
  { setPassword }: Pick<Whose, 'setPassword'>,
  make: () => Promise<pg.Client>,
): Promise<pg.Client> {
  const client = await make();
  try {
    await client.connect();
    await client.query(KEEP_ALIVE);
    return client;
  } catch (error) {
    await endClient(client);
    if (setPassword === undefined || (error as { code?: string }).code !== '28P01') throw error;
  }
  await setPassword();
  return connected({}, make);
}

async function wasCleaned(client: pg.Client): Promise<boolean> {
  try {
    await client.query('discard all');
    return true;
  } catch (error) {
    if (!isConnectionLoss(error) && (error as { code?: string }).code === undefined) throw error;
    return false;
  }
}

/** Never throws: a server that is away has nothing to end. */
async function terminateAt(client: pg.Client | null, { terminate }: { terminate?: Terminate }): Promise<void> {
  const pid = (client as { processID?: number | null } | null)?.processID;
  if (terminate !== undefined && typeof pid === 'number') await terminate(pid).catch(() => undefined);
}

const wayOf = ({ publicOnly = false }: Pick<Whose, 'publicOnly'>): pg.ClientConfig =>
  publicOnly ? { stream: publicSocket } : {};

/**
 * Statements that somebody else wrote, as one: a word that would end the transaction under way is refused, as it is where databases
 * are embedded. Else half of a file could stay that is said to have failed.
 */
export const asOneStatement = (text: string): string => `do ${sqlLiteral(`begin execute ${sqlLiteral(text)}; end`)}`;

/** A connection for one piece of work of an operation, whose statements may take long. */
export async function withClient<T>(
  of: {
    url: string;
    name: string;
    whose: string;
    deadlineMs: number;
    publicOnly?: boolean;
    /** For a connection on which the company's own SQL runs. */
    terminate?: Terminate;
    /** As of a company's other connections. */
    setPassword?: () => Promise<void>;
  },
  work: (session: Session, client: pg.Client) => Promise<T>,
): Promise<T> {
  let client: pg.Client | null = null;
  try {
    client = await connected(of, async () => {
      const made = new pg.Client({ ...clientConfig(of.url, of.name), ...wayOf(of), query_timeout: of.deadlineMs });
      made.on('error', () => undefined); // the statement under way fails by itself
      return made;
    });
    const session = sessionOf(client);
    try {
      return await work(session, client);
    } finally {
      if (session.broken) await terminateAt(client, of);
    }
  } catch (error) {
    throw explainError(error, of.whose);
  } finally {
    if (client !== null) await endClient(client);
  }
}

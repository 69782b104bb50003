import type { Lease } from '../../src/execution/agents/agent.ts';
import type { ErrorClass } from '../../src/execution/flow/flow-state.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import { LEASE_MS, type SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

type Attempt = Pick<Lease, 'plan' | 'n' | 'fence'>;
const ERRORS: ErrorClass[] = ['transient', 'transient', 'quota', 'timeout', 'auth', 'poison'];

/** Someone who executes tickets: most of the time well, sometimes not at all, sometimes twice, sometimes with a lie. */
export class SimulatedAgent {
  readonly #world: World;
  readonly #id: string;
  readonly #concurrency: number;
  #busy = 0;
  #crashes = 0;

  constructor(world: World, id: string, concurrency: number) {
    this.#world = world;
    this.#id = id;
    this.#concurrency = concurrency;
  }

  async live(): Promise<void> {
    const { time, random } = this.#world;
    while (!this.#world.isOver) {
      const process = this.#world.pick();
      if (process === null || this.#busy >= this.#concurrency) await time.sleep(150);
      else await this.#takeWork(process).catch(() => time.sleep(100 + random() * 200));
    }
  }

  async #takeWork(process: SimulatedProcess): Promise<void> {
    const { registry } = process;
    const { time } = this.#world;
    const key = `$system/${this.#id}`;
    const agent =
      registry.get(key) ??
      registry.put(null, {
        agent_id: this.#id,
        kind: 'service',
        task_types: ['BUILD', 'COMPENSATE', 'Paint the "shed"'],
        capabilities: [],
        concurrency: this.#concurrency,
        labels: {},
        region: null,
        version: null,
      });
    // Now and then it shows that it keeps the heartbeat interval, and then does not.
    if (this.#world.isHostile('agents') && this.#world.random() < 0.3) {
      registry.seen(agent, true);
      await time.sleep(this.#world.random() * 400);
      if (process.isAlive) registry.seen(agent, true);
    }
    const leases = await process.ask(() => registry.poll(agent, this.#concurrency - this.#busy, 4_000));
    for (const lease of leases) {
      this.#world.checkLease(lease);
      this.#busy++;
      void this.#work(lease, this.#crashes).finally(() => this.#busy--);
    }
  }

  async #work(lease: Lease, life: number): Promise<void> {
    const { time, random } = this.#world;
    const isGone = (): boolean => this.#crashes !== life;
    const roll = this.#world.isHostile('agents') ? random() : 1;
    if (roll < 0.05) return; // silent
    if (roll < 0.08) {
      this.#crashes++;
      return void (await time.sleep(random() * 3_000));
    }
    if (roll < 0.12) return this.#world.giveBack(lease);
    if (roll < 0.18) await this.#lie(lease);
    const isSlow = roll > 0.2 && roll < 0.25;
    const isLate = roll > 0.25 && roll < 0.3;
    if (isLate) await time.sleep(LEASE_MS * (1 + random() * 2));
    else if (!(await this.#labour(lease, isSlow ? 8_000 : 20 + random() * 600, isGone))) return;
    if (roll > 0.3 && roll < 0.45) return this.#say(lease, 'fail', isGone);
    if (roll > 0.45 && roll < 0.53) void this.#say(lease, 'complete', isGone);
    await this.#say(lease, 'complete', isGone);
    if (roll > 0.5 && roll < 0.6) {
      await time.sleep(random() * 6_000);
      await this.#say(lease, random() < 0.7 ? 'complete' : 'fail', isGone);
    }
  }

  /** Works with heartbeats; false = it was told to stop or lost the lease. */
  async #labour({ plan: key, n, fence }: Attempt, ms: number, isGone: () => boolean): Promise<boolean> {
    const { time, random } = this.#world;
    const until = time.now + ms;
    while (time.now < until) {
      await time.sleep(Math.min(LEASE_MS / 3, until - time.now));
      if (isGone() || this.#world.isOver) return false;
      if (time.now >= until) break;
      try {
        const process = this.#world.pick();
        if (process === null) continue;
        const { cancel } = await process.ask(({ writer }) =>
          writer.heartbeat({ instance: this.#world.instanceOf(key), key, n, fence }),
        );
        if (cancel && random() < 0.7) return (void (await this.#say({ plan: key, n, fence }, 'fail', isGone)), false);
      } catch (error) {
        if (isColmeiaError(error, 'LEASE_FENCED') && random() < 0.8) return false;
      }
    }
    return true;
  }

  async #lie({ plan, n, fence }: Attempt): Promise<void> {
    const no = (): boolean => false;
    for (const lie of [
      { plan, n, fence: fence + 1 },
      { plan, n, fence: fence - 1 },
      { plan, n: n + 1, fence },
      { plan: plan + 1, n, fence },
    ]) {
      if (lie.fence > 0) await this.#say(lie, 'complete', no, 1);
    }
  }

  /** Tells the result until someone has taken it or refused it for good. */
  async #say(attempt: Attempt, what: 'complete' | 'fail', isGone: () => boolean, tries = 40): Promise<void> {
    const { time, random } = this.#world;
    const { plan: key, n, fence } = attempt;
    const about = { instance: this.#world.instanceOf(key), key, n, fence, who: { by: `agent:${this.#id}` } };
    for (let i = 0; i < tries && !isGone() && !this.#world.isOver; i++) {
      const process = this.#world.pick();
      try {
        if (process === null) throw new Error('CONNECTION_LOST');
        if (what === 'complete') {
          const tag = `${key}/${n}/${fence}/${Math.floor(random() * 1e9)}`;
          await process.ask(({ writer }) =>
            writer.complete({ ...about, result: JSON.stringify({ output: { tag }, metadata: {} }), logs: ['a line'] }),
          );
          this.#world.checkCompleted(attempt);
        } else {
          const errorClass = ERRORS[Math.floor(random() * ERRORS.length)];
          const retryAfterMs = random() < 0.2 ? Math.floor(random() * 2_000) : null;
          await process.ask(({ writer }) =>
            writer.fail({ ...about, errorClass, error: 'it "broke" \\ {so}', retryAfterMs }),
          );
          this.#world.checkFailed(attempt);
        }
        return;
      } catch (error) {
        if (isColmeiaError(error, 'LEASE_FENCED')) return;
        this.#world.checkPassing(error, what);
        await time.sleep(100 + random() * 300);
      }
    }
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia, type ColmeiaOptions } from '../../src/index.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { RecordedEvent } from '../../src/trust/audit/journal.ts';
import { QUICK, type OpenPlace } from './place.ts';

const DEADLINE_MS = 10_000;
/** Longer than any test of scheduling leaps. */
const LONG_MS = 30 * 24 * 3_600_000;

/** The real time and what a test has leapt, so that hours pass at once and timers still run. */
export class LeapingClock {
  #leapt = 0;
  /** How often it was read. */
  reads = 0;

  now(): number {
    this.reads++;
    return Date.now() + this.#leapt;
  }

  /** Back when negative. */
  leap(ms: number): void {
    this.#leapt += ms;
  }
}

export type Scheduled = {
  colmeia: Colmeia;
  clock: LeapingClock;
  /** Replicas of a database look at each other once a second, whatever else there is. */
  hasReplicas: boolean;
  /** Closes it and opens it again on the same database, to which something is done `between`. */
  restart: (between?: (database: ColmeiaOptions) => Promise<void>) => Promise<Colmeia>;
};

/** A Colmeia of its own for one test, whose leases and agents bear leaps of the clock. `kept`: it can be restarted. */
export async function scheduled(
  place: OpenPlace,
  options: ColmeiaOptions,
  work: (scheduled: Scheduled) => Promise<void>,
  { kept = false } = {},
): Promise<void> {
  const at = await place(kept);
  const clock = new LeapingClock();
  const open = (): Promise<Colmeia> =>
    createColmeia({
      ...QUICK,
      clock,
      leaseDurationMs: LONG_MS,
      heartbeatIntervalMs: LONG_MS,
      ...options,
      ...at.options,
    });
  let colmeia = await open();
  try {
    await work({
      colmeia,
      clock,
      hasReplicas: (at.options.databaseUrl ?? null) !== null,
      restart: async (between) => {
        await colmeia.close();
        await between?.(at.options);
        return (colmeia = await open());
      },
    });
  } finally {
    await colmeia.close();
    await at.remove();
  }
}

/** What the fleet's own journal says, oldest first. */
export async function fleetJournal(colmeia: Colmeia): Promise<RecordedEvent[]> {
  const { items } = await colmeia.audit.list(LOCAL_OPERATOR, { instance: '$system', limit: 100 });
  return items.toReversed();
}

/** Waits for a state to come by itself. */
export async function eventually<T>(what: string, look: () => Promise<T>, met: (value: T) => boolean): Promise<T> {
  for (const deadline = Date.now() + DEADLINE_MS; ;) {
    const value = await look();
    if (met(value)) return value;
    if (Date.now() >= deadline) throw new Error(`${what} did not come; it is ${JSON.stringify(value)}`);
    await sleep(10);
  }
}

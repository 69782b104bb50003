import type { Fault } from '../../platform/errors.ts';

/** What an agent measures of itself. Names are its own; four of them have a meaning and a history. */
export type Telemetry = {
  /** Epoch ms of the last values. */
  at: number;
  values: Readonly<Record<string, number>>;
  /** Samples of the known names, as a ring of [time, value …]; what was not sent is NaN. */
  readonly ring: Float64Array;
  /** Samples taken so far. */
  samples: number;
};
export type TelemetrySample = { at: number } & Record<KnownName, number | null>;

/** `queue`: tickets it holds that wait. `cpu`, `memory`: shares of the machine in use. `errors`: since it started. */
const KNOWN = { queue: Number.MAX_SAFE_INTEGER, cpu: 1, memory: 1, errors: Number.MAX_SAFE_INTEGER } as const;
type KnownName = keyof typeof KNOWN;
const NAMES = Object.keys(KNOWN) as KnownName[];
const WIDTH = 1 + NAMES.length;

const NAMES_LIMIT = 32;
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
/** Samples kept, one for each SAMPLE_MS at most. */
const HISTORY = 30;
const SAMPLE_MS = 10_000;

/** Numbers by name; adds every fault. */
export function parseTelemetry(value: unknown, faults: Fault[]): Record<string, number> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.push({ path: 'telemetry', message: 'must be an object of numbers' });
    return {};
  }
  const entries = Object.entries(value);
  if (entries.length > NAMES_LIMIT) {
    faults.push({ path: 'telemetry', message: `has ${entries.length} entries; at most ${NAMES_LIMIT} are allowed` });
    return {};
  }
  for (const [name, number] of entries) {
    const path = `telemetry.${name.slice(0, 64)}`;
    const most = Object.hasOwn(KNOWN, name) ? KNOWN[name as KnownName] : null;
    if (!NAME.test(name)) faults.push({ path, message: 'is no name: 1 to 64 letters, digits or . _ -' });
    if (typeof number !== 'number' || !Number.isFinite(number)) faults.push({ path, message: 'must be a number' });
    else if (most !== null && !(number >= 0 && number <= most))
      faults.push({ path, message: most === 1 ? 'must be a share from 0 to 1' : 'must not be negative' });
  }
  return Object.fromEntries(entries) as Record<string, number>;
}

/** The telemetry with new values. */
export function keepTelemetry(known: Telemetry | null, values: Record<string, number>, at: number): Telemetry {
  const { ring, samples } = known ?? { ring: new Float64Array(HISTORY * WIDTH), samples: 0 };
  const last = samples === 0 ? -Infinity : ring[((samples - 1) % HISTORY) * WIDTH];
  if (at - last < SAMPLE_MS) return { at, values, ring, samples };
  const place = (samples % HISTORY) * WIDTH;
  ring[place] = at;
  NAMES.forEach((name, i) => (ring[place + 1 + i] = values[name] ?? NaN));
  return { at, values, ring, samples: samples + 1 };
}

/** Oldest first; what was not sent is null. */
export function telemetrySamples({ ring, samples }: Telemetry): TelemetrySample[] {
  return Array.from({ length: Math.min(samples, HISTORY) }, (_, i) => {
    const place = (Math.max(0, samples - HISTORY) + i) % HISTORY;
    const [at, ...values] = ring.subarray(place * WIDTH, (place + 1) * WIDTH);
    return {
      at,
      ...Object.fromEntries(NAMES.map((name, n) => [name, Number.isNaN(values[n]) ? null : values[n]])),
    } as TelemetrySample;
  });
}

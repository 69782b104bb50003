import type { Fault } from '../../platform/errors.ts';

/** What an agent measures of itself. Names are its own; four of them have a meaning and a history. */
export type Telemetry = {
  /** Epoch ms of the last values. */
  at: number;
  values: Readonly<Record<string, number>>;
  /** Oldest first, at most HISTORY, one for each SAMPLE_MS at most; what was not sent is null. */
  history: TelemetrySample[];
};
export type TelemetrySample = { at: number } & Record<KnownName, number | null>;

/** `queue`: tickets it holds that wait. `cpu`, `memory`: shares of the machine in use. `errors`: since it started. */
const KNOWN = { queue: Number.MAX_SAFE_INTEGER, cpu: 1, memory: 1, errors: Number.MAX_SAFE_INTEGER } as const;
type KnownName = keyof typeof KNOWN;

const NAMES_LIMIT = 32;
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
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
  const history = known?.history ?? [];
  const last = history.at(-1);
  if (last === undefined || at - last.at >= SAMPLE_MS) {
    const { queue = null, cpu = null, memory = null, errors = null } = values;
    history.push({ at, queue, cpu, memory, errors });
    if (history.length > HISTORY) history.shift();
  }
  return { at, values, history };
}

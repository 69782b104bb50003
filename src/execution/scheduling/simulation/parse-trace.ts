import type { Fault } from '../../../platform/errors.ts';
import type { PlanTemplate } from './parse-plans.ts';
import { simulatedSpec } from './scenario.ts';

/** Rows of a trace beyond these are not read. */
const MAX_ROWS = 1_000_000;
/** How long a call to a language model takes, by its tokens: 5,000 a second are read and 50 a second are written. */
const MS_PER_TOKEN_READ = 0.2;
const MS_PER_TOKEN_WRITTEN = 20;
/** Without one of its own, a row is due so long after its arrival, or after three times its estimate. */
const DUE_MS = 60_000;

/**
 * A CSV trace as plans of one task each. Columns, in any order: `arrive_ms` or `TIMESTAMP` (a date; the first row is 0),
 * `duration_ms` or `ContextTokens` and `GeneratedTokens` (then 0.2 ms and 20 ms for each); optional `instance`, `tier`, `type`,
 * `estimate_ms`, `deadline_ms` (after the arrival). Names do not depend on case; others are ignored. No quoted cells.
 */
export function parseTrace(text: string, faults: Fault[]): PlanTemplate[] {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  const names = lines[0]!.split(',').map((name) => name.trim().toLowerCase());
  const columns = new Map(names.map((name, i) => [name, i]));
  const has = (...wanted: string[]): boolean => wanted.every((name) => columns.has(name));
  if (!has('arrive_ms') && !has('timestamp'))
    faults.push({ path: 'line 1', message: 'needs a column arrive_ms or TIMESTAMP' });
  if (!has('duration_ms') && !has('contexttokens', 'generatedtokens'))
    faults.push({ path: 'line 1', message: 'needs a column duration_ms, or ContextTokens and GeneratedTokens' });
  if (faults.length > 0) return [];
  const plans: PlanTemplate[] = [];
  let first: number | null = null;
  for (let i = 1; i < lines.length && plans.length < MAX_ROWS; i++) {
    if (lines[i]!.trim() === '') continue;
    const row = new Row(columns, lines[i]!.split(','), `line ${i + 1}`, faults);
    if (!has('arrive_ms')) first ??= row.date('timestamp');
    const plan = planOf(row, has('arrive_ms') ? row.number('arrive_ms') : row.date('timestamp') - first!, plans.length);
    plans.push(plan);
  }
  return plans;
}

function planOf(row: Row, arrivesAt: number, number: number): PlanTemplate {
  const durationMs = row.has('duration_ms')
    ? row.number('duration_ms')
    : MS_PER_TOKEN_READ * row.number('contexttokens') + MS_PER_TOKEN_WRITTEN * row.number('generatedtokens');
  const estimate = row.has('estimate_ms') ? row.number('estimate_ms') : null;
  const dueIn = row.has('deadline_ms') ? row.number('deadline_ms') : Math.max(DUE_MS, 3 * (estimate ?? 0));
  const type = row.text('type') ?? 'call';
  const tokens = row.text('contexttokens');
  const parameters: Record<string, string> = tokens === null ? {} : { context_tokens: tokens };
  return {
    name: `row-${number + 1}`,
    instance: row.text('instance') ?? 'default',
    tier: row.text('tier') ?? 'standard',
    arrivesAt,
    deadlineAt: arrivesAt + dueIn,
    tasks: [{ spec: simulatedSpec(type, { estimated_duration_ms: estimate, parameters }), deps: [], durationMs }],
  };
}

class Row {
  readonly #columns: ReadonlyMap<string, number>;
  readonly #cells: readonly string[];
  readonly #path: string;
  readonly #faults: Fault[];

  constructor(columns: ReadonlyMap<string, number>, cells: readonly string[], path: string, faults: Fault[]) {
    this.#columns = columns;
    this.#cells = cells;
    this.#path = path;
    this.#faults = faults;
  }

  /** null = there is no such column, or the cell is empty. */
  text(name: string): string | null {
    return this.#cells[this.#columns.get(name) ?? -1]?.trim() || null;
  }

  has(name: string): boolean {
    return this.text(name) !== null;
  }

  number(name: string): number {
    const value = Number(this.text(name) ?? Number.NaN);
    if (value >= 0 && value <= 1e15) return value;
    this.#faults.push({ path: `${this.#path}, ${name}`, message: 'must be a number from 0 to 1e15' });
    return 0;
  }

  /** Epoch ms; fractions beyond milliseconds are cut, no zone means UTC. */
  date(name: string): number {
    const given = (this.text(name) ?? '').replace(' ', 'T').replace(/(\.\d{3})\d+/, '$1');
    const value = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(given) ? given : `${given}Z`);
    if (!Number.isNaN(value)) return value;
    this.#faults.push({ path: `${this.#path}, ${name}`, message: 'must be a date as in 2023-11-16 18:15:46.680' });
    return 0;
  }
}

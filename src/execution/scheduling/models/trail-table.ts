import { newLevel, type TrailLevel } from './trail-level.ts';

/**
 * Numbers of one (type, agent) pair, by place in its row. The recent ones are discounted fast; the lasting ones are what
 * the pair is like in the long run; the run is what came since performance last looked as expected.
 */
export const FIELD = {
  /** Epoch ms of the last observation. */
  at: 0,
  /** The type's count of observations at that time. */
  clock: 1,
  successes: 2,
  failures: 3,
  /** Weighted sum of the log-ratios of the successes, and the sum of the weights. */
  logs: 4,
  logWeight: 5,
  lastingSuccesses: 6,
  lastingFailures: 7,
  lastingLogs: 8,
  lastingLogWeight: 9,
  /** Evidence that the agent got worse, log-likelihood (CUSUM). */
  alarm: 10,
  runSuccesses: 11,
  runFailures: 12,
  runLogs: 13,
  runLogWeight: 14,
  /** 1 when a change was just found, fading to 0. */
  changed: 15,
} as const;
export const FIELDS = 16;
const FIRST_ROWS = 64;

/** An agent that has a row. */
export type TrailAgent = { /** By type; a row begins at row × FIELDS. */ rows: Map<string, number>; level: TrailLevel };

/**
 * Rows of numbers for (agent, type) pairs in one array: about 230 bytes a pair, nothing to collect. At most `limit` rows, and
 * `perAgent` of one agent; when one more comes, the one that was used longest ago goes.
 */
export class TrailTable {
  /** Row r begins at r × FIELDS. */
  numbers = new Float64Array(FIRST_ROWS * FIELDS);
  readonly #agents: string[] = [];
  readonly #types: string[] = [];
  readonly agents = new Map<string, TrailAgent>();
  /** Rows by use, as a ring of row + 1 through 0: next(0) is the latest, previous(0) the oldest. */
  #next = new Int32Array(FIRST_ROWS + 1);
  #previous = new Int32Array(FIRST_ROWS + 1);
  readonly #unused: number[] = [];
  #limit: number;
  #perAgent: number;
  readonly #dropped: (type: string) => void;
  size = 0;

  constructor(limit: number, perAgent: number, dropped: (type: string) => void) {
    this.#limit = limit;
    this.#perAgent = perAgent;
    this.#dropped = dropped;
  }

  /** Lower limits hold for what comes from now on. */
  bound(limit: number, perAgent: number): void {
    this.#limit = limit;
    this.#perAgent = perAgent;
  }

  /** Where the pair's numbers begin; −1 = there are none. */
  find(agent: string, type: string): number {
    const row = this.agents.get(agent)?.rows.get(type);
    return row === undefined ? -1 : row * FIELDS;
  }

  /** Where the pair's numbers begin, new ones all 0; the pair is now the last to go. */
  use(agent: string, type: string): number {
    let ofAgent = this.agents.get(agent);
    let row = ofAgent?.rows.get(type);
    if (row === undefined) {
      if (ofAgent !== undefined && ofAgent.rows.size >= this.#perAgent) this.drop(agent, this.#oldestOf(ofAgent.rows));
      else if (this.size >= this.#limit) this.#dropRow(this.#previous[0] - 1);
      row = this.#unused.pop() ?? this.#addRow();
      this.#agents[row] = agent;
      this.#types[row] = type;
      ofAgent = this.agents.get(agent);
      if (ofAgent === undefined) this.agents.set(agent, (ofAgent = { rows: new Map(), level: newLevel() }));
      ofAgent.rows.set(type, row);
      this.numbers.fill(0, row * FIELDS, (row + 1) * FIELDS);
      this.size++;
    } else this.#unlink(row + 1);
    this.#link(row + 1);
    return row * FIELDS;
  }

  drop(agent: string, type: string): void {
    const row = this.agents.get(agent)?.rows.get(type);
    if (row !== undefined) this.#dropRow(row);
  }

  /** Every pair, or those of one agent, the one used longest ago first (of one agent: in no special order). */
  *pairs(agent: string | null): Generator<{ agent: string; type: string; at: number }> {
    if (agent !== null) {
      for (const [type, row] of this.agents.get(agent)?.rows ?? []) yield { agent, type, at: row * FIELDS };
      return;
    }
    for (let link = this.#previous[0]; link !== 0; link = this.#previous[link])
      yield { agent: this.#agents[link - 1], type: this.#types[link - 1], at: (link - 1) * FIELDS };
  }

  #oldestOf(ofAgent: ReadonlyMap<string, number>): string {
    let oldest = '';
    let oldestAt = Number.POSITIVE_INFINITY;
    for (const [type, row] of ofAgent) {
      const at = this.numbers[row * FIELDS + FIELD.at];
      if (at < oldestAt) [oldest, oldestAt] = [type, at];
    }
    return oldest;
  }

  #dropRow(row: number): void {
    const agent = this.#agents[row];
    const type = this.#types[row];
    const { rows } = this.agents.get(agent)!;
    rows.delete(type);
    if (rows.size === 0) this.agents.delete(agent);
    this.#agents[row] = this.#types[row] = '';
    this.#unlink(row + 1);
    this.#unused.push(row);
    this.size--;
    this.#dropped(type);
  }

  #addRow(): number {
    const row = this.#agents.length;
    if ((row + 1) * FIELDS > this.numbers.length) {
      this.numbers = grown(this.numbers, new Float64Array(this.numbers.length * 2));
      this.#next = grown(this.#next, new Int32Array(this.#next.length * 2));
      this.#previous = grown(this.#previous, new Int32Array(this.#previous.length * 2));
    }
    return row;
  }

  #link(link: number): void {
    const latest = this.#next[0];
    this.#next[link] = latest;
    this.#previous[link] = 0;
    this.#previous[latest] = link;
    this.#next[0] = link;
  }

  #unlink(link: number): void {
    this.#next[this.#previous[link]] = this.#next[link];
    this.#previous[this.#next[link]] = this.#previous[link];
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** One outcome is added; `log` null = nothing is known of its speed. `at`: where the successes, failures, logs and their weight stand, in this order. */
export function deposit(numbers: Float64Array, at: number, ok: boolean, log: number | null, weight: number): void {
  if (!ok) {
    numbers[at + 1]++;
    return;
  }
  numbers[at]++;
  if (log === null) return;
  numbers[at + 2] += weight * log;
  numbers[at + 3] += weight;
}

import type { OutsideCall } from '../../connectors/outside/outside-call.ts';
import type { JournalEvent, JournalWriter } from '../../trust/audit/journal.ts';

/** Calls wait for so long for others, so that a copy of a thousand issues is no thousand commits, ms. */
const GATHER_MS = 500;
/** Calls of one company that wait at most; what is more is counted and said. */
const MOST_WAITING = 5_000;
const AT_ONCE = 500;

type Options = {
  append: JournalWriter['append'];
  log: (level: 'warn', data: Record<string, unknown>, message: string) => void;
};
type Waiting = { calls: OutsideCall[]; dropped: number };

/** Every call to a site outside becomes an event of the company's journal, some at a time. */
export class AuditOutsideCalls {
  readonly #options: Options;
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: Options) {
    this.#options = options;
  }

  add(instance: string, call: OutsideCall): void {
    const waiting = this.#waiting.get(instance) ?? { calls: [], dropped: 0 };
    this.#waiting.set(instance, waiting);
    if (waiting.calls.length < MOST_WAITING) waiting.calls.push(call);
    else waiting.dropped++;
    this.#timer ??= setTimeout(() => this.#write(), GATHER_MS);
  }

  /** What waits is written down. */
  async stop(): Promise<void> {
    this.#write();
    await this.#writing;
  }

  #write(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#writing = this.#writing.then(async () => {
      for (const [instance, { calls, dropped }] of waiting) await this.#append(instance, calls, dropped);
    });
  }

  async #append(instance: string, calls: readonly OutsideCall[], dropped: number): Promise<void> {
    const events: JournalEvent[] = calls.map((call) => ({ type: 'outside.called', by: 'engine', data: { ...call } }));
    if (dropped > 0) events.push({ type: 'outside.called', by: 'engine', data: { dropped } });
    try {
      for (let from = 0; from < events.length; from += AT_ONCE)
        await this.#options.append(instance, events.slice(from, from + AT_ONCE));
    } catch (error) {
      const said = { err: error, instance, calls: events.length };
      this.#options.log('warn', said, 'calls to a site outside could not be written down');
    }
  }
}

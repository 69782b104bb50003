import { consolidate } from './consolidate.ts';
import { decide } from './decide.ts';
import type {
  Decision,
  ErrorClass,
  FlowCommand,
  FlowEvent,
  PlanControl,
  PlanState,
  TicketRules,
} from './flow-state.ts';

export const CONTROL: PlanControl = {
  paused: false,
  stopping: null,
  undo: false,
  validUntil: null,
  backoff: { baseMs: 1_000, maxMs: 60_000, quotaMs: 30_000 },
  stopGraceMs: 5_000,
};
export const DEADLINE = 100_000;

export const rule = (deps: number[] = [], more: Partial<TicketRules> = {}): TicketRules => ({
  deps,
  timeoutMs: 60_000,
  maxRetries: 2,
  gated: false,
  compensable: false,
  copyable: true,
  undoes: null,
  ...more,
});
export const undoable = (deps: number[] = []): TicketRules => rule(deps, { compensable: true, maxRetries: 0 });

/** One plan and everything that was decided about it. Carries `consolidate` out, as an interpreter does. */
export class Run {
  state: PlanState;
  commands: FlowCommand[] = [];
  all: FlowCommand[] = [];

  constructor(rules: TicketRules[], { gate = false, ...control }: Partial<PlanControl> & { gate?: boolean } = {}) {
    this.state = null as never;
    this.#take(
      decide(null, {
        type: 'submitted',
        at: 0,
        rules,
        deadlines: rules.map(() => DEADLINE),
        gate,
        control: { ...CONTROL, ...control },
      }),
      0,
    );
  }

  do(event: FlowEvent): this {
    this.#take(decide(this.state, event), event.at);
    return this;
  }

  #take(decision: Decision, at: number): void {
    this.state = decision.state;
    this.commands = [...decision.commands];
    if (this.commands.some((command) => command.type === 'consolidate')) {
      const last = decide(this.state, { type: 'consolidated', at, result: consolidate(this.state, 0, at) });
      this.state = last.state;
      this.commands.push(...last.commands);
    }
    this.all.push(...this.commands);
  }

  lease(at: number, ...ns: number[]): this {
    return this.do({ type: 'leased', at, leases: ns.map((n) => ({ n, agent: `agent-${n}` })) });
  }

  complete(at: number, ...ns: number[]): this {
    for (const n of ns) this.do({ type: 'completed', at, n, fence: this.state.tickets[n].fence });
    return this;
  }

  /** Leases and completes each in turn. */
  run(at: number, ...ns: number[]): this {
    ns.forEach((n, i) => this.lease(at + i, n).complete(at + i + 1, n));
    return this;
  }

  fail(
    at: number,
    n: number,
    errorClass: ErrorClass = 'poison',
    more: { retryAfterMs?: number; jitter?: number } = {},
  ): this {
    const { retryAfterMs = null, jitter = 1 } = more;
    return this.do({
      type: 'failed',
      at,
      n,
      fence: this.state.tickets[n].fence,
      errorClass,
      error: 'broken',
      retryAfterMs,
      jitter,
    });
  }

  lose(at: number, n: number, retryAfterMs: number | null = null): this {
    const { fence } = this.state.tickets[n];
    return this.do({ type: 'lost', at, n, fence, error: 'gone', retryAfterMs, jitter: 1 });
  }

  due(at: number): this {
    return this.do({ type: 'due', at, jitter: 1 });
  }

  get statuses(): string {
    return this.state.tickets.map((ticket) => ticket.status).join(' ');
  }

  get refusal(): string | null {
    const [first] = this.commands;
    return first?.type === 'refuse' ? first.code : null;
  }

  events(name?: string): string[] {
    return this.all.flatMap((command) =>
      command.type === 'publish' && (name === undefined || command.event === name)
        ? [`${command.event}${command.n === null ? '' : ` ${command.n}`}`]
        : [],
    );
  }

  /** The consolidation that the last end published. */
  get result(): { success: boolean; inconsistencies: string[]; retries: number; sla: { violations: number } } {
    const ends = this.all.filter((command) => command.type === 'publish' && 'inconsistencies' in command.data);
    return (ends.at(-1) as unknown as { data: never }).data;
  }
}

export const has = (run: Run, type: FlowCommand['type'], n?: number): boolean =>
  run.commands.some((command) => command.type === type && (n === undefined || (command as { n?: number }).n === n));

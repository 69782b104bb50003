import assert from 'node:assert/strict';
import { attemptsOf, tokenOf } from './attempt.ts';
import { consolidate } from './consolidate.ts';
import { decide } from './decide.ts';
import { FlowRules, ticketsIn } from './flow-rules.testing.ts';
import {
  isEnded,
  type ErrorClass,
  type FlowCommand,
  type FlowEvent,
  type PlanControl,
  type PlanState,
  type TicketRules,
} from './flow-state.ts';

const CLASSES: ErrorClass[] = ['transient', 'quota', 'auth', 'poison', 'timeout'];

/** One thing that may happen; the numbers choose among what the state allows at that moment. */
export type Move = { what: number; pick: number; chance: number; wait: number };

const control = (validUntil: number | null): PlanControl => ({
  paused: false,
  stopping: null,
  undo: false,
  validUntil,
  backoff: { baseMs: 100, maxMs: 2_000, quotaMs: 500 },
  stopGraceMs: 300,
});

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}

/** Runs moves on one plan and holds every rule at each step. */
class Walk {
  state!: PlanState;
  at = 0;
  readonly #rules = new FlowRules();
  #commands: FlowCommand[] = [];

  take(event: FlowEvent): void {
    const before = freeze(this.state as PlanState | undefined) ?? null;
    freeze(event);
    const decision = decide(before, event);
    assert.deepEqual(decide(before, event), decision, 'the same state and event gave another answer');
    this.#commands = decision.commands;
    this.state = freeze(decision.state);
    if (decision.commands[0]?.type === 'refuse') {
      assert.equal(decision.state, before, 'a refusal changed something');
      return;
    }
    this.#rules.check(before, this.state, this.#commands);
    if (this.state.status === 'consolidating') {
      const result = consolidate(this.state, 0, this.at);
      const undone = this.state.tickets.some((ticket) => ticket.note?.undoFailed);
      if (!undone) assert.deepEqual(result.inconsistencies, [], 'a plan ended inconsistent');
      this.take({ type: 'consolidated', at: this.at, result });
    }
  }

  move({ what, pick, chance, wait }: Move, revision: TicketRules[]): void {
    const { state } = this;
    const one = (from: number[]): number | undefined => from[pick % Math.max(1, from.length)];
    const running = ticketsIn(this.state, 'running');
    const jitter = chance / 1_000;
    this.at += what % 3 === 0 ? wait : 1;
    const at = this.at;
    const n = one(running);
    const fence = n === undefined ? 0 : attemptsOf(state.tickets[n])[chance % 2]?.fence;
    if (what < 8) {
      this.take({ type: 'copied', at, n: n ?? pick, agent: chance % 5 === 0 ? 'a' : `b${chance % 3}` });
    } else if (what < 30) {
      const ready = ticketsIn(this.state, 'ready').slice(0, 1 + (pick % 4));
      this.take({
        type: 'leased',
        at,
        leases: [...ready, pick % Math.max(1, state.tickets.length)]
          .filter((i) => i < state.tickets.length)
          .map((i) => ({ n: i, agent: 'a' })),
      });
    } else if (what < 55) {
      if (n !== undefined) this.take({ type: 'completed', at, n, fence: fence ?? tokenOf(state.tickets[n]) });
    } else if (what < 62) {
      if (n !== undefined)
        this.take({
          type: 'failed',
          at,
          n,
          fence: fence ?? tokenOf(state.tickets[n]),
          errorClass: CLASSES[chance % 5],
          error: 'e',
          retryAfterMs: chance % 7 === 0 ? wait : null,
          jitter,
        });
    } else if (what < 65) {
      const lost = { error: 'e', retryAfterMs: chance % 7 === 0 ? wait : null, jitter };
      if (n !== undefined) this.take({ type: 'lost', at, n, fence: fence ?? tokenOf(state.tickets[n]), ...lost });
    } else if (what < 68) {
      if (n !== undefined) this.take({ type: 'released', at, n, fence: fence ?? tokenOf(state.tickets[n]) });
    } else if (what < 73) this.#lie(pick, chance);
    else if (what < 83) this.take({ type: 'due', at, jitter });
    else if (what < 86) this.take({ type: 'approved', at, n: chance % 2 ? null : pick % (state.tickets.length + 1) });
    else if (what === 86)
      this.take({ type: 'declined', at, n: chance % 2 ? null : pick % (state.tickets.length + 1), why: 'w' });
    else if (what < 89) this.take({ type: 'paused', at });
    else if (what < 92) this.take({ type: 'resumed', at });
    else if (what === 92) this.take({ type: 'cancelled', at, undo: chance % 2 === 0, why: 'w' });
    else if (what < 96) this.take({ type: 'retried', at });
    else this.#replan(revision, pick, chance);
  }

  /** A token that is not the one that counts. */
  #lie(pick: number, chance: number): void {
    const n = pick % (this.state.tickets.length + 1);
    const ticket = this.state.tickets.at(n);
    const fence = ticket === undefined ? 1 : ticket.fence;
    const live = ticket === undefined ? [] : attemptsOf(ticket).map((attempt) => attempt.fence);
    const stale = fence + [-1, 0, 1, 7][chance % 4];
    if (live.includes(stale)) return;
    const type = (['completed', 'failed', 'lost', 'released'] as const)[pick % 4];
    this.take({
      type,
      at: this.at,
      n,
      fence: stale,
      errorClass: 'poison',
      error: 'lie',
      retryAfterMs: null,
      jitter: 0,
    } as FlowEvent);
    assert.equal(this.#commands[0]?.type, 'refuse', 'a stale token was taken');
  }

  #replan(revision: TicketRules[], pick: number, chance: number): void {
    const wanted =
      chance % 3 === 0
        ? this.state.tickets.map((_, n) => n)
        : [...ticketsIn(this.state, 'completed'), ...ticketsIn(this.state, 'running')];
    const keep = revision.map((_, task) => ((task + pick) % 2 ? (wanted[task] ?? null) : null));
    this.take({
      type: 'replanned',
      at: this.at,
      rules: revision,
      deadlines: revision.map(() => this.at + 2_000),
      keep,
      gate: chance % 4 === 0,
      control: control(null),
    });
  }

  /** Everyone does their part: agents complete what they get, people approve, time goes on. */
  finish(): void {
    const bound = 20 * (this.state.tickets.length + 5);
    for (let i = 0; !isEnded(this.state.status); i++) {
      assert.ok(
        i < bound,
        `the plan does not end: ${this.state.status} ${this.state.tickets.map((ticket) => ticket.status).join(' ')}`,
      );
      const { state } = this;
      this.at++;
      if (state.control.paused) this.take({ type: 'resumed', at: this.at });
      else if (state.status === 'waiting_approval' || ticketsIn(this.state, 'approval').length > 0)
        this.take({ type: 'approved', at: this.at, n: null });
      else if (ticketsIn(this.state, 'ready').length > 0)
        this.take({
          type: 'leased',
          at: this.at,
          leases: ticketsIn(this.state, 'ready').map((n) => ({ n, agent: 'a' })),
        });
      else if (ticketsIn(this.state, 'running').length > 0)
        for (const n of ticketsIn(this.state, 'running'))
          this.take({ type: 'completed', at: this.at, n, fence: tokenOf(this.state.tickets[n]) });
      else {
        assert.ok(state.timerAt !== null, 'nothing is under way and nothing is due');
        this.at = Math.max(this.at, state.timerAt);
        this.take({ type: 'due', at: this.at, jitter: 0 });
      }
    }
  }
}

/** A plan from its submission through `steps`; each replanning among them is to `revision`. */
export function walk(
  { rules: tasks, gate, validUntil }: { rules: TicketRules[]; gate: boolean; validUntil: number | null },
  steps: Move[],
  revision: TicketRules[],
): Walk {
  const run = new Walk();
  run.take({
    type: 'submitted',
    at: 0,
    rules: tasks,
    deadlines: tasks.map((task) => task.timeoutMs),
    gate,
    control: control(validUntil),
  });
  for (const step of steps) run.move(step, revision);
  return run;
}

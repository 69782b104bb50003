import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { attemptsOf, tokenOf } from './attempt.ts';
import { consolidate } from './consolidate.ts';
import { decide } from './decide.ts';
import { nextWake } from './flow-draft.ts';
import {
  isEnded,
  type ErrorClass,
  type FlowCommand,
  type FlowEvent,
  type PlanControl,
  type PlanState,
  type TicketRules,
  type TicketState,
} from './flow-state.ts';
import { restorePlan } from './restore.ts';

const CLASSES: ErrorClass[] = ['transient', 'quota', 'auth', 'poison', 'timeout'];

/** One thing that may happen; the numbers choose among what the state allows at that moment. */
type Move = { what: number; pick: number; chance: number; wait: number };
const moves = fc.array(
  fc.record({ what: fc.nat(99), pick: fc.nat(1_000), chance: fc.nat(1_000), wait: fc.nat(4_000) }),
  { maxLength: 150 },
);

const rules = (size: number): fc.Arbitrary<TicketRules[]> =>
  fc
    .array(
      fc.record({
        deps: fc.array(fc.nat(1_000), { maxLength: 3 }),
        gated: fc.nat(9),
        compensable: fc.boolean(),
        copyable: fc.boolean(),
        maxRetries: fc.nat(2),
        timeoutMs: fc.integer({ min: 500, max: 5_000 }),
      }),
      { maxLength: size },
    )
    .map((tasks) =>
      tasks.map(({ deps, gated, ...task }, n) => ({
        ...task,
        deps: n === 0 ? [] : [...new Set(deps.map((dep) => dep % n))],
        gated: gated === 0,
        undoes: null,
      })),
    );

const plans = fc.record({
  rules: rules(60),
  gate: fc.nat(4).map((n) => n === 0),
  validUntil: fc.option(fc.integer({ min: 1, max: 30_000 })),
});
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

const withoutWaits = ({ waits: _waits, ...ticket }: TicketState): Omit<TicketState, 'waits'> => ticket;

/** What the database would give back: derived fields gone, everything through JSON. */
function keptAndRestored(state: PlanState): PlanState {
  const { flow, status, rules: kept, tickets } = state;
  const columns = {
    flow,
    status,
    control: state.control,
    rules: kept,
    tickets: tickets.map(withoutWaits),
  };
  return restorePlan(JSON.parse(JSON.stringify(columns)));
}

const keptOf = ({ status, control: is, tickets }: PlanState): string =>
  JSON.stringify([status, is, tickets.map(withoutWaits)]);

/** Runs moves on one plan and holds every rule at each step. */
class Walk {
  state!: PlanState;
  at = 0;
  #leased = new Set<string>();
  #completed = new Set<string>();
  #copied = new Set<string>();
  #released = new Set<number>();
  #retries = 0;
  #commands: FlowCommand[] = [];
  readonly #queue = new Set<number>();

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
    this.#checkState(before);
    this.#checkQueue();
    if (before !== null) this.#checkCommands(before);
    if (this.state.status === 'consolidating') {
      const result = consolidate(this.state, 0, this.at);
      const undone = this.state.tickets.some((ticket) => ticket.note?.undoFailed);
      if (!undone) assert.deepEqual(result.inconsistencies, [], 'a plan ended inconsistent');
      this.take({ type: 'consolidated', at: this.at, result });
    }
  }

  #checkState(before: PlanState | null): void {
    const { state } = this;
    assert.deepEqual(JSON.parse(JSON.stringify(state)), state, 'the state is not plain JSON');
    const { timerAt, ...restored } = keptAndRestored(state);
    const { timerAt: _, ...memory } = state;
    if (state.status !== 'consolidating') assert.deepEqual(memory, restored, 'memory differs from what is kept');
    const next = isEnded(state.status) ? null : nextWake(state);
    assert.equal(timerAt, state.status === 'consolidating' ? timerAt : next);
    if (next !== null && state.status !== 'consolidating')
      assert.ok(state.timerAt !== null && state.timerAt <= next, 'the plan sleeps past what is due');
    if (isEnded(state.status)) assert.equal(state.open, 0, 'a plan ended with open tickets');
    if (state.status === 'waiting_approval') {
      assert.equal(state.control.stopping, null, 'a plan that is stopping waits for approval');
      assert.deepEqual(
        [...this.#of('ready'), ...this.#of('approval')],
        [],
        'a ticket moves though the plan waits for approval',
      );
    }
    if (before !== null && keptOf(before) !== keptOf(state)) {
      assert.ok(
        this.#commands.some((command) => command.type === 'publish'),
        'a kept change has no event',
      );
    }
  }

  #checkCommands(before: PlanState): void {
    const { state } = this;
    for (const command of this.#commands) {
      if (command.type !== 'publish') continue;
      const { event, n, data } = command;
      const token = `${n}/${data.fence}`;
      if (event === 'ticket.leased') {
        assert.ok(
          !before.control.paused && before.status !== 'waiting_approval',
          `ticket ${n} started in a plan that is held`,
        );
        for (const dep of state.rules[n!].deps)
          assert.equal(before.tickets[dep].status, 'completed', `ticket ${n} started before its dependency ${dep}`);
        if (state.rules[n!].gated) assert.ok(before.tickets[n!].note?.approved, `ticket ${n} started without approval`);
        assert.ok(!this.#leased.has(token), `token ${token} was given twice`);
        this.#leased.add(token);
        const tokens = attemptsOf(state.tickets[n!]).map(({ fence }) => fence);
        assert.deepEqual(tokens, [data.fence], `ticket ${n} runs under other tokens than it was leased under`);
      }
      if (event === 'ticket.copied') {
        const was = before.tickets[n!];
        assert.ok(was.status === 'running' && state.rules[n!].copyable, `ticket ${n} was copied out of turn`);
        assert.ok(!before.control.paused && before.control.stopping === null, `a copy began in a plan that is held`);
        assert.ok(!this.#leased.has(token), `token ${token} was given twice`);
        this.#leased.add(token);
        const once = `${n} ${state.tickets[n!].attempt} ${this.#retries}`;
        if (!this.#released.has(n!)) assert.ok(!this.#copied.has(once), `attempt ${once} was copied twice`);
        this.#copied.add(once);
        assert.deepEqual(
          attemptsOf(state.tickets[n!]).slice(0, 1),
          attemptsOf(was),
          `the first attempt of ${n} changed`,
        );
      }
      if (event === 'ticket.released' || event === 'ticket.copy_released') this.#released.add(n!);
      if (event === 'plan.retried') this.#retries++;
      if (event === 'ticket.completed') {
        assert.ok(this.#leased.has(token) && !this.#completed.has(token), `token ${token} completed out of turn`);
        assert.ok(attemptsOf(before.tickets[n!]).some((attempt) => attempt.fence === data.fence));
        this.#completed.add(token);
      }
      if (/^ticket.copy_/.test(event)) {
        assert.ok(this.#leased.has(token) && !this.#completed.has(token), `token ${token} ended out of turn`);
        const left = attemptsOf(state.tickets[n!]).map(({ fence }) => fence);
        assert.ok(!left.includes(data.fence as number), `token ${token} ended and goes on`);
        if (event !== 'ticket.copy_lost') this.#checkNotUsedUp(before.tickets[n!], n!);
      }
      if (event === 'ticket.compensating') this.#checkUndoOrder(n!);
    }
    before.tickets.forEach((was, n) => {
      const { status, fence, note } = state.tickets[n];
      const attempts = attemptsOf(state.tickets[n]);
      assert.equal(note?.copy !== undefined, attempts.length === 2, `ticket ${n} that is ${status} kept its copy`);
      if (attempts.length === 2) assert.ok(attempts[0].fence < attempts[1].fence && attempts[1].fence === fence);
      if (was.status === 'completed')
        assert.ok(
          ['completed', 'compensating', 'compensated'].includes(status),
          `completed ticket ${n} became ${status}`,
        );
      assert.ok(state.tickets[n].fence >= was.fence, 'a token went back');
    });
  }

  /** One of two attempts ended by itself: unless the other ended in the same step, it goes on as it was. */
  #checkNotUsedUp(was: TicketState, n: number): void {
    const is = this.state.tickets[n];
    const left = attemptsOf(is);
    if (left.length === 0) return;
    assert.deepEqual([is.attempt, is.status, left.length], [was.attempt, 'running', 1]);
    assert.ok(attemptsOf(was).some((attempt) => JSON.stringify(attempt) === JSON.stringify(left[0])));
  }

  /** What an interpreter that follows the commands in their order holds ready is what is ready. */
  #checkQueue(): void {
    const { state } = this;
    for (const command of this.#commands) {
      if (command.type === 'ticket.ready') this.#queue.add(command.n);
      if (command.type === 'ticket.withdraw') this.#queue.delete(command.n);
      if (command.type === 'finish') this.#queue.clear();
      if (command.type === 'publish' && command.event === 'ticket.leased') this.#queue.delete(command.n!);
    }
    const ready = state.control.paused ? [] : this.#of('ready');
    assert.deepEqual(
      [...this.#queue].sort((a, b) => a - b),
      ready,
      'what is offered is not what is ready',
    );
  }

  #checkUndoOrder(of: number): void {
    const { state } = this;
    for (const n of state.dependents[of]) {
      const { status, note } = state.tickets[n];
      const stands =
        status === 'compensating' || (status === 'completed' && state.rules[n].compensable && !note?.undoFailed);
      assert.ok(!stands, `ticket ${of} is undone before ticket ${n}, which depends on it`);
    }
  }

  #of(status: string): number[] {
    return this.state.tickets.flatMap((ticket, n) => (ticket.status === status ? [n] : []));
  }

  move({ what, pick, chance, wait }: Move, revision: TicketRules[]): void {
    const { state } = this;
    const one = (from: number[]): number | undefined => from[pick % Math.max(1, from.length)];
    const running = this.#of('running');
    const jitter = chance / 1_000;
    this.at += what % 3 === 0 ? wait : 1;
    const at = this.at;
    const n = one(running);
    const fence = n === undefined ? 0 : attemptsOf(state.tickets[n])[chance % 2]?.fence;
    if (what < 8) {
      this.take({ type: 'copied', at, n: n ?? pick, agent: chance % 5 === 0 ? 'a' : `b${chance % 3}` });
    } else if (what < 30) {
      const ready = this.#of('ready').slice(0, 1 + (pick % 4));
      this.take({
        type: 'leased',
        at,
        leases: [...ready, pick % Math.max(1, state.tickets.length)]
          .filter((i) => i < state.tickets.length)
          .map((i) => ({ n: i, agent: 'a' })),
      });
    } else if (what < 55) {
      if (n !== undefined) this.take({ type: 'completed', at, n, fence: fence ?? tokenOf(state.tickets[n]) });
    } else if (what < 65) {
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
    const type = (['completed', 'failed', 'released'] as const)[pick % 3];
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
      chance % 3 === 0 ? this.state.tickets.map((_, n) => n) : [...this.#of('completed'), ...this.#of('running')];
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
      else if (state.status === 'waiting_approval' || this.#of('approval').length > 0)
        this.take({ type: 'approved', at: this.at, n: null });
      else if (this.#of('ready').length > 0)
        this.take({ type: 'leased', at: this.at, leases: this.#of('ready').map((n) => ({ n, agent: 'a' })) });
      else if (this.#of('running').length > 0)
        for (const n of this.#of('running'))
          this.take({ type: 'completed', at: this.at, n, fence: tokenOf(this.state.tickets[n]) });
      else {
        assert.ok(state.timerAt !== null, 'nothing is under way and nothing is due');
        this.at = Math.max(this.at, state.timerAt);
        this.take({ type: 'due', at: this.at, jitter: 0 });
      }
    }
  }
}

function walk(
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

/** Copies, leases and the ends of attempts, and seldom anything else. */
const copies = fc.array(
  fc.record({
    what: fc.oneof({ arbitrary: fc.constantFrom(0, 0, 1, 9, 10, 57, 58, 66, 66, 75), weight: 9 }, fc.nat(99)),
    pick: fc.nat(1_000),
    chance: fc.nat(1_000),
    wait: fc.nat(4_000),
  }),
  { minLength: 20, maxLength: 60 },
);

describe('decide(), whatever happens in whatever order', () => {
  it('keeps every rule at every step, and every plan ends once agents answer', () => {
    fc.assert(
      fc.property(plans, moves, rules(12), (plan, steps, revision) => walk(plan, steps, revision).finish()),
      { numRuns: 1_500 },
    );
  });

  it('keeps every rule in small plans, where everything meets everything', () => {
    const small = fc.record({
      rules: rules(4),
      gate: fc.boolean(),
      validUntil: fc.option(fc.integer({ min: 1, max: 3_000 })),
    });
    fc.assert(
      fc.property(small, moves, rules(4), (plan, steps, revision) => walk(plan, steps, revision).finish()),
      { numRuns: 3_000 },
    );
  });

  it('keeps every rule where most tickets are copied', () => {
    const plan = fc.record({ rules: rules(4), gate: fc.constant(false), validUntil: fc.constant(null) });
    fc.assert(
      fc.property(plan, copies, rules(4), (one, steps, revision) => {
        const tasks = one.rules.map((rule) => ({ ...rule, gated: false, copyable: true, maxRetries: 2 }));
        walk({ ...one, rules: tasks }, steps, revision).finish();
      }),
      { numRuns: 600 },
    );
  });
});

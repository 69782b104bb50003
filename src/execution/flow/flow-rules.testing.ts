import assert from 'node:assert/strict';
import { attemptsOf } from './attempt.ts';
import { nextWake } from './flow-draft.ts';
import { isEnded, type FlowCommand, type PlanState, type TicketRules, type TicketState } from './flow-state.ts';
import { restorePlan } from './restore.ts';

type Published = Extract<FlowCommand, { type: 'publish' }>;
/** One step of a plan: the states before and after it, and what was decided. */
type Step = { before: PlanState; state: PlanState; published: Published };

export const ticketsIn = ({ tickets }: PlanState, status: TicketState['status']): number[] =>
  tickets.flatMap((ticket, n) => (ticket.status === status ? [n] : []));

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

/** What must hold at every step of one plan. It is shown each step, from the first; a broken rule is an AssertionError. */
export class FlowRules {
  /** Tokens that were given, and those that completed: `ticket/fence`. */
  readonly #leased = new Set<string>();
  readonly #completed = new Set<string>();
  readonly #copied = new Set<string>();
  readonly #released = new Set<number>();
  #retries = 0;
  /** What an interpreter offers that follows the commands in their order. */
  readonly #queue = new Set<number>();

  /** `before` null = the plan begins. */
  check(before: PlanState | null, state: PlanState, commands: readonly FlowCommand[]): void {
    checkKept(state);
    checkRest(state);
    const published = commands.filter((command) => command.type === 'publish');
    if (before !== null && keptOf(before) !== keptOf(state))
      assert.ok(published.length > 0, 'a kept change has no event');
    this.#checkQueue(state, commands);
    if (before === null) return;
    for (const event of published) this.#checkEvent({ before, state, published: event });
    before.tickets.forEach((was, n) => checkTicket(was, state.tickets[n], n));
    state.tickets.forEach((ticket, n) => checkUsedUp(ticket, state.rules[n], n));
  }

  #checkQueue(state: PlanState, commands: readonly FlowCommand[]): void {
    for (const command of commands) {
      if (command.type === 'ticket.ready') this.#queue.add(command.n);
      if (command.type === 'ticket.withdraw') this.#queue.delete(command.n);
      if (command.type === 'finish') this.#queue.clear();
      if (command.type === 'publish' && command.event === 'ticket.leased') this.#queue.delete(command.n!);
    }
    const ready = state.control.paused ? [] : ticketsIn(state, 'ready');
    assert.deepEqual(
      [...this.#queue].sort((a, b) => a - b),
      ready,
      'what is offered is not what is ready',
    );
  }

  #checkEvent(step: Step): void {
    const { event, n } = step.published;
    if (event === 'ticket.leased') this.#checkLease(step, n!);
    if (event === 'ticket.copied') this.#checkCopy(step, n!);
    if (event === 'ticket.released' || event === 'ticket.copy_released') this.#released.add(n!);
    if (event === 'plan.retried') this.#retries++;
    if (event === 'ticket.completed') this.#checkCompletion(step, n!);
    if (/^ticket.copy_/.test(event)) this.#checkEndOfOne(step, n!);
    if (event === 'ticket.compensating') checkUndoOrder(step.state, n!);
  }

  #checkLease({ before, state, published: { data } }: Step, n: number): void {
    assert.ok(
      !before.control.paused && before.status !== 'waiting_approval',
      `ticket ${n} started in a plan that is held`,
    );
    for (const dep of state.rules[n].deps)
      assert.equal(before.tickets[dep].status, 'completed', `ticket ${n} started before its dependency ${dep}`);
    if (state.rules[n].gated) assert.ok(before.tickets[n].note?.approved, `ticket ${n} started without approval`);
    this.#give(`${n}/${data.fence}`);
    const tokens = attemptsOf(state.tickets[n]).map(({ fence }) => fence);
    assert.deepEqual(tokens, [data.fence], `ticket ${n} runs under other tokens than it was leased under`);
  }

  #checkCopy({ before, state, published: { data } }: Step, n: number): void {
    const was = before.tickets[n];
    assert.ok(was.status === 'running' && state.rules[n].copyable, `ticket ${n} was copied out of turn`);
    assert.ok(!before.control.paused && before.control.stopping === null, `a copy began in a plan that is held`);
    this.#give(`${n}/${data.fence}`);
    const once = `${n} ${state.tickets[n].attempt} ${this.#retries}`;
    if (!this.#released.has(n)) assert.ok(!this.#copied.has(once), `attempt ${once} was copied twice`);
    this.#copied.add(once);
    assert.deepEqual(attemptsOf(state.tickets[n]).slice(0, 1), attemptsOf(was), `the first attempt of ${n} changed`);
  }

  #give(token: string): void {
    assert.ok(!this.#leased.has(token), `token ${token} was given twice`);
    this.#leased.add(token);
  }

  #checkCompletion({ before, published: { data } }: Step, n: number): void {
    const token = `${n}/${data.fence}`;
    assert.ok(this.#leased.has(token) && !this.#completed.has(token), `token ${token} completed out of turn`);
    assert.ok(attemptsOf(before.tickets[n]).some((attempt) => attempt.fence === data.fence));
    this.#completed.add(token);
  }

  /** One of two attempts ended. */
  #checkEndOfOne({ before, state, published: { event, data } }: Step, n: number): void {
    const token = `${n}/${data.fence}`;
    assert.ok(this.#leased.has(token) && !this.#completed.has(token), `token ${token} ended out of turn`);
    const left = attemptsOf(state.tickets[n]).map(({ fence }) => fence);
    assert.ok(!left.includes(data.fence as number), `token ${token} ended and goes on`);
    if (event !== 'ticket.copy_lost') checkNotUsedUp(before.tickets[n], state.tickets[n]);
  }
}

/** The database would give back what is in memory, and the plan wakes in time. */
function checkKept(state: PlanState): void {
  assert.deepEqual(JSON.parse(JSON.stringify(state)), state, 'the state is not plain JSON');
  const { timerAt, ...restored } = keptAndRestored(state);
  if (state.status === 'consolidating') return;
  const { timerAt: _, ...memory } = state;
  assert.deepEqual(memory, restored, 'memory differs from what is kept');
  const next = isEnded(state.status) ? null : nextWake(state);
  assert.equal(timerAt, next);
  if (next !== null) assert.ok(state.timerAt !== null && state.timerAt <= next, 'the plan sleeps past what is due');
}

/** Nothing moves in a plan that has ended or waits for approval. */
function checkRest(state: PlanState): void {
  if (isEnded(state.status)) assert.equal(state.open, 0, 'a plan ended with open tickets');
  if (state.status !== 'waiting_approval') return;
  assert.equal(state.control.stopping, null, 'a plan that is stopping waits for approval');
  const moving = [...ticketsIn(state, 'ready'), ...ticketsIn(state, 'approval')];
  assert.deepEqual(moving, [], 'a ticket moves though the plan waits for approval');
}

function checkTicket(was: TicketState, is: TicketState, n: number): void {
  const { status, fence, note } = is;
  const attempts = attemptsOf(is);
  assert.equal(note?.copy !== undefined, attempts.length === 2, `ticket ${n} that is ${status} kept its copy`);
  if (attempts.length === 2) assert.ok(attempts[0].fence < attempts[1].fence && attempts[1].fence === fence);
  if (was.status === 'completed')
    assert.ok(['completed', 'compensating', 'compensated'].includes(status), `completed ticket ${n} became ${status}`);
  assert.ok(fence >= was.fence, 'a token went back');
}

/** Failures end it, and of the attempts that are lost only three do not count. */
function checkUsedUp({ attempt, note }: TicketState, { maxRetries }: TicketRules, n: number): void {
  assert.ok((note?.lost ?? 0) <= (maxRetries === 0 ? 0 : 3), `ticket ${n} lost attempts without end`);
  assert.ok(attempt - (note?.lost ?? 0) <= maxRetries + 1, `ticket ${n} was tried more often than it may be`);
}

/** One of two attempts ended by itself: unless the other ended in the same step, it goes on as it was. */
function checkNotUsedUp(was: TicketState, is: TicketState): void {
  const left = attemptsOf(is);
  if (left.length === 0) return;
  assert.deepEqual([is.attempt, is.status, left.length], [was.attempt, 'running', 1]);
  assert.ok(attemptsOf(was).some((attempt) => JSON.stringify(attempt) === JSON.stringify(left[0])));
}

function checkUndoOrder(state: PlanState, of: number): void {
  for (const n of state.dependents[of]) {
    const { status, note } = state.tickets[n];
    const stands =
      status === 'compensating' || (status === 'completed' && state.rules[n].compensable && !note?.undoFailed);
    assert.ok(!stands, `ticket ${of} is undone before ticket ${n}, which depends on it`);
  }
}

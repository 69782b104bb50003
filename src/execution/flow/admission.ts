import { ColmeiaError, isColmeiaError } from '../../platform/errors.ts';
import type { FlowBatch } from './flow-batch.ts';
import type { FlowEngineOptions } from './flow-engine-options.ts';
import type { FlowEvent } from './flow-state.ts';
import type { LivePlan } from './live-plan.ts';
import { growthOf, type OpenTickets } from './open-tickets.ts';

/** Changes that may wait for a commit; beyond it decisions are refused, results of agents are not. */
const QUEUE_LIMIT = 10_000;
/** Changes that may wait for a transaction of their own: agents and keys that come, change and go. */
const ALONE_LIMIT = 2_000;
/** Open tickets of a company when nobody set a cap. */
const MAX_OPEN_TICKETS = 100_000;

/** What is taken in and what is refused with QUEUE_FULL because too much waits; refusals are counted. */
export class Admission {
  readonly #maxOpenTickets: number;
  readonly #admit: (instance: string) => ColmeiaError | null;
  readonly #onQueueFull: () => void;

  constructor(options: Pick<FlowEngineOptions, 'maxOpenTicketsPerCompany' | 'admit' | 'onQueueFull'>) {
    this.#maxOpenTickets = options.maxOpenTicketsPerCompany ?? MAX_OPEN_TICKETS;
    this.#admit = options.admit ?? (() => null);
    this.#onQueueFull = options.onQueueFull ?? (() => {});
  }

  /** `depth`: changes that wait for a commit. */
  decision<T>(depth: number, submit: () => Promise<T>): Promise<T> {
    return this.counted(() =>
      depth >= QUEUE_LIMIT ? Promise.reject(full(`${QUEUE_LIMIT} changes wait for the database`)) : submit(),
    );
  }

  /** A plan of so many tickets that is new here; a decision that was taken before is answered, not taken. */
  mustBegin(batch: FlowBatch, instance: string, tickets: number, open: OpenTickets): void {
    const refusal = this.#admit(instance);
    if (refusal !== null) throw refusal;
    open.mustTake(tickets, batch.opened.get(instance) ?? 0, this.#maxOpenTickets, instance, batch.at);
  }

  /** `depth`: changes that wait to run alone. */
  alone(depth: number, append: () => Promise<void>): Promise<void> {
    return this.counted(() =>
      depth >= ALONE_LIMIT ? Promise.reject(full(`${ALONE_LIMIT} changes wait for a transaction`)) : append(),
    );
  }

  /** A new revision of a plan may not carry its company over the cap either. */
  mustGrow(batch: FlowBatch, plan: LivePlan, event: FlowEvent, open: OpenTickets | undefined): void {
    const growth = growthOf(batch.stateOf(plan), event);
    open?.mustTake(growth, batch.opened.get(plan.instance) ?? 0, this.#maxOpenTickets, plan.instance, batch.at);
  }

  async counted<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isColmeiaError(error, 'QUEUE_FULL')) this.#onQueueFull();
      throw error;
    }
  }
}

const full = (message: string): ColmeiaError => new ColmeiaError('QUEUE_FULL', message, { retryAfterMs: 1_000 });

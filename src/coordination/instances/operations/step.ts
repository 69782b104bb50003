import type { OperationPlan } from '../instance-views.ts';

/** What a step may know and say. `Memory` is what earlier steps found, as plain JSON; never a secret. */
export type StepContext<Input, Memory> = {
  /** Id of the operation: an idempotency key for what the step makes outside. */
  readonly operationId: string;
  /** The company it is about. */
  readonly instance: string;
  readonly input: Input;
  readonly memory: Memory;
  /** Who asked for it, as in the journal. */
  readonly by: string;
  /** Aborted when the process stops: the step ends soon, and is run again by the next process. */
  readonly signal: AbortSignal;
  /** What it is at, for people; `share` 0 to 1. Kept now and then, so that it may be called often. */
  progress(detail: string, share?: number): void;
  /** Adds to the memory, on disk when it resolves. */
  keep(found: Partial<Memory>): Promise<void>;
};

/**
 * One step of an operation. `run` may be run again after it was cut at any point, also after it had ended: it brings
 * about what is not there yet. What it resolves with is added to the memory. `undo` takes back all of it or any part.
 */
export type Step<Input, Memory> = {
  readonly name: string;
  run(context: StepContext<Input, Memory>): Promise<Partial<Memory> | void>;
  undo?(context: StepContext<Input, Memory>): Promise<void>;
};

/** A kind of operation. Its steps run in order; a failure leaves what was done, to be resumed or undone. */
export type OperationDefinition<Input = unknown, Memory = unknown> = {
  readonly steps: readonly Step<Input, Memory>[];
  /** Undone by itself when a step fails for good, as a create is. Default false. */
  readonly undoOnFailure?: boolean;
  /** What callers see of the memory in the end. */
  result(memory: Memory): Record<string, unknown>;
  plan?(instance: string, input: Input): Promise<OperationPlan>;
};

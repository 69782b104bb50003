import { ColmeiaError } from '../../../platform/errors.ts';
import { withoutUrlPasswords } from '../../../platform/secret.ts';
import { knownSecrets } from '../../../trust/secrets/redact.ts';
import type { JournalEvent } from '../../../trust/audit/journal.ts';
import type { StepView } from '../instance-views.ts';
import { pendingStep, type AnyDefinition, type Operation } from './operation.ts';
import type { Step, StepContext } from './step.ts';

/** Changes of progress are written at most once in this time, ms. */
const PROGRESS_MS = 200;
const MOST_DETAIL = 300;

export type RunOptions = {
  /** Keeps the operation with its events, in one transaction. Rejects when another process has it now. */
  save(operation: Operation, events: readonly JournalEvent[]): Promise<void>;
  /** Aborted when the process stops, or has lost the operation: it ends without another word. */
  signal: AbortSignal;
  /** Epoch ms. */
  now(): number;
  /** The failure as the log gets it; what is kept is only what people may read. */
  failed(step: string, error: unknown): void;
};

type AnyStep = Step<unknown, Record<string, unknown>>;

/** Carries out an operation from where it stands to its end, or until it is aborted. Resolves with how it stands then. */
export async function runOperation(
  definition: AnyDefinition,
  operation: Operation,
  options: RunOptions,
): Promise<Operation> {
  const run = new OperationRun(definition, operation, options);
  await run.toItsEnd();
  return run.operation;
}

class OperationRun {
  readonly operation: Operation;
  readonly #steps: readonly AnyStep[];
  readonly #definition: AnyDefinition;
  readonly #options: RunOptions;
  /** One write after the other: each holds all that was known when it began. */
  #writing: Promise<void> = Promise.resolve();
  #progress: NodeJS.Timeout | null = null;

  constructor(definition: AnyDefinition, operation: Operation, options: RunOptions) {
    this.#definition = definition;
    this.#steps = definition.steps;
    this.#options = options;
    // A newer version may have other steps.
    const known = new Map(operation.steps.map((step) => [step.name, step]));
    const steps = definition.steps.map(({ name }): StepView => ({ ...(known.get(name) ?? pendingStep(name)) }));
    this.operation = { ...operation, memory: { ...operation.memory }, steps };
  }

  async toItsEnd(): Promise<void> {
    try {
      if (this.operation.state === 'running') await this.#forth();
      if (this.operation.state === 'undoing') await this.#back();
    } finally {
      if (this.#progress !== null) clearTimeout(this.#progress);
      await this.#writing.catch(() => {});
    }
  }

  async #forth(): Promise<void> {
    for (const [i, step] of this.#steps.entries()) {
      const view = this.operation.steps[i];
      if (view.state === 'done') continue;
      if (this.#options.signal.aborted) return;
      if (view.state !== 'running') {
        this.#begin(view);
        await this.#commit([]);
      }
      try {
        const found = await step.run(this.#context(view));
        this.#options.signal.throwIfAborted();
        Object.assign(this.operation.memory, found ?? {});
      } catch (error) {
        if (this.#options.signal.aborted) return;
        return this.#fails(step.name, view, error, this.#definition.undoOnFailure === true);
      }
      Object.assign(view, { state: 'done', share: null, ended_at: this.#at() });
      const { detail } = view;
      const next = this.operation.steps[i + 1];
      const isLast = next === undefined;
      const done = this.#event('step_done', { step: step.name, ...(detail === '' ? {} : { detail }) });
      if (isLast) this.#end('completed');
      else if (next.state !== 'done') this.#begin(next);
      await this.#commit(isLast ? [done, this.#event('completed', {})] : [done]);
    }
  }

  async #back(): Promise<void> {
    for (const [i, step] of [...this.#steps.entries()].toReversed()) {
      const view = this.operation.steps[i];
      if (view.state === 'pending' || view.state === 'undone') continue;
      if (this.#options.signal.aborted) return;
      try {
        await step.undo?.(this.#context(view));
        this.#options.signal.throwIfAborted();
      } catch (error) {
        if (this.#options.signal.aborted) return;
        return this.#fails(step.name, view, error, false);
      }
      Object.assign(view, { state: 'undone', share: null, ended_at: this.#at() });
      await this.#commit([this.#event('step_undone', { step: step.name })]);
    }
    this.#end('undone');
    await this.#commit([this.#event('undone', {})]);
  }

  async #fails(step: string, view: StepView, error: unknown, goesBack: boolean): Promise<void> {
    this.#options.failed(step, error);
    // The first error is the one to tell: that of an undo would hide what it was about.
    const told = this.operation.error ?? errorOf(error);
    Object.assign(view, { state: 'failed', share: null, ended_at: this.#at() });
    this.operation.error = told;
    if (goesBack) this.operation.state = 'undoing';
    else this.#end('failed');
    await this.#commit([this.#event('failed', { step, code: told.code, message: told.message })]);
  }

  #begin(view: StepView): void {
    Object.assign(view, { state: 'running', detail: '', started_at: view.started_at ?? this.#at(), ended_at: null });
  }

  #end(state: 'completed' | 'failed' | 'undone'): void {
    this.operation.state = state;
    this.operation.endedAt = this.#at();
  }

  #context(view: StepView): StepContext<unknown, Record<string, unknown>> {
    const { operation } = this;
    return {
      operationId: operation.id,
      instance: operation.instance,
      input: operation.input,
      memory: operation.memory,
      by: operation.by,
      signal: this.#options.signal,
      progress: (detail, share) => {
        view.detail = shown(detail).slice(0, MOST_DETAIL);
        view.share = share === undefined ? null : Math.min(1, Math.max(0, share));
        // What cannot be written now goes with the next change.
        this.#progress ??= setTimeout(() => void this.#commit([]).catch(() => {}), PROGRESS_MS);
      },
      keep: async (found) => {
        Object.assign(operation.memory, found);
        await this.#commit([]);
      },
    };
  }

  #commit(events: readonly JournalEvent[]): Promise<void> {
    if (this.#progress !== null) clearTimeout(this.#progress);
    this.#progress = null;
    const write = async (): Promise<void> => {
      this.#options.signal.throwIfAborted();
      this.operation.rev++;
      await this.#options.save(this.operation, events);
    };
    this.#writing = this.#writing.catch(() => {}).then(write);
    return this.#writing;
  }

  #event(what: string, data: Record<string, unknown>): JournalEvent {
    const { id, kind, instance, by } = this.operation;
    return { type: `instance.operation_${what}`, by, data: { operation: id, kind, instance, ...data } };
  }

  #at(): string {
    return new Date(this.#options.now()).toISOString();
  }
}

/** What people may read of a failure. */
function errorOf(error: unknown): { code: string; message: string } {
  const { message, syscall } = error as NodeJS.ErrnoException;
  // Companies read it too: of an error of the system not where the server has its files.
  const words = syscall === undefined ? String(message ?? error) : message.split(`, ${syscall}`, 1)[0]!;
  const told = shown(words).slice(0, 1_000);
  return { code: error instanceof ColmeiaError ? error.code : 'INTERNAL', message: told };
}

/** A text for people, which goes into the operation's row and the journal; the database keeps no zero byte. */
const shown = (text: string): string => knownSecrets.redact(withoutUrlPasswords(text)).replaceAll('\u0000', '');

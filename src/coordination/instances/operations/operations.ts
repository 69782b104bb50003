import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../../platform/clock.ts';
import { ColmeiaError } from '../../../platform/errors.ts';
import { decodeCursor, isTexts, pageLimit, pageOf } from '../../../platform/page.ts';
import type { Scope, Store } from '../../../platform/store/store.ts';
import type { JournalEvent, JournalWriter } from '../../../trust/audit/journal.ts';
import { SYSTEM_INSTANCE } from '../../../trust/identity/principal.ts';
import type { OperationKind, OperationPlan, OperationView } from '../instance-views.ts';
import { isUnderWay, operationView, pendingStep, type AnyDefinition, type Operation } from './operation.ts';
import {
  claimOperations,
  findHolder,
  findOperation,
  insertOperation,
  keepOperations,
  listOperations,
  readMemories,
  releaseOperations,
  reopenOperation,
  updateOperation,
  type KeptOperation,
} from './operation-store.ts';
import { OperationWaiters } from './operation-waiters.ts';
import { runOperation } from './run-operation.ts';
import type { OperationDefinition } from './step.ts';

const HEARTBEAT_MS = 5_000;
const SILENT_MS = 30_000;
const MAX_WAIT_MS = 60_000;
const SAVE_TRIES = 20;

/** Kinds in the course of which the company is not there, or not under its name: the fleet's journal has their events. */
const OF_FLEET: readonly OperationKind[] = ['create', 'clone', 'delete', 'rename', 'import'];

export type OperationsOptions = {
  store: Store;
  clock: Clock;
  append: JournalWriter['append'];
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
  /** How often a process says that it is still at its operations. Default 5,000. */
  heartbeatMs?: number;
  /** After how long without that another process goes on with them. Default 30,000. */
  silentMs?: number;
};

type Running = { stop: AbortController; ended: Promise<Operation | null> };

/**
 * Journalled operations over companies: one at a time on each, every step kept as it begins and ends. An operation whose
 * process has died is gone on with by another one, or by the next one on an embedded database, at the step where it was.
 */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #definitions = new Map<OperationKind, AnyDefinition>();
  /** Names this process in what it carries out; another one in its next life. */
  readonly #runner = randomBytes(9).toString('base64url');
  readonly #running = new Map<string, Running>();
  readonly #waiters: OperationWaiters;
  #timer: NodeJS.Timeout | null = null;
  #beating: Promise<void> = Promise.resolve();
  /** Operations of this process that it could not keep: their runs ended, and they are to be taken up again. */
  #hasDropped = false;
  #stopped = false;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#waiters = new OperationWaiters(options.store, options.log);
  }

  /** Before `start`. */
  define<Input, Memory>(kind: OperationKind, definition: OperationDefinition<Input, Memory>): void {
    this.#definitions.set(kind, definition);
  }

  /** Goes on with what a former process left. */
  async start(): Promise<void> {
    const { store, heartbeatMs = Math.min(HEARTBEAT_MS, this.#silentMs / 6) } = this.#options;
    await this.#waiters.start();
    // No other process has an embedded database: whatever is under way is of a former life.
    await this.#claim(store.tier === 'embedded' ? 0 : this.#silentMs);
    this.#timer = setInterval(() => (this.#beating = this.#beating.then(() => this.#beat())), heartbeatMs);
    this.#timer.unref();
  }

  /** Steps under way end soon; the next process goes on with them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#waiters.stop();
    for (const { stop } of this.#running.values()) stop.abort(stopping());
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    await this.#beating;
    await releaseOperations(this.#options.store, this.#runner).catch(() => {}); // it will have been silent for long enough
  }

  /**
   * Begins an operation and resolves once that is kept; it goes on by itself. Throws INSTANCE_BUSY while another one is
   * under way on the company.
   */
  async begin(kind: OperationKind, instance: string, input: object, by: string): Promise<OperationView> {
    if (this.#stopped) throw stopping();
    const definition = this.#definition(kind);
    const at = new Date(this.#options.clock.now()).toISOString();
    const steps = definition.steps.map(({ name }) => pendingStep(name));
    Object.assign(steps[0], { state: 'running', started_at: at });
    const operation: Operation = {
      id: `${Date.parse(at).toString(36).padStart(9, '0')}-${randomBytes(6).toString('hex')}`,
      instance,
      kind,
      input,
      memory: {},
      steps,
      state: 'running',
      error: null,
      by,
      rev: 1,
      startedAt: at,
      endedAt: null,
    };
    const { id } = operation;
    const event = { type: 'instance.operation_started', by, data: { operation: id, kind, instance } };
    await this.#options
      .append(journalOf(operation), [event], [insertOperation(operation, this.#runner)])
      .catch((error: unknown) => this.#refused(error, operation));
    this.#carryOut(definition, operation);
    return operationView(operation, definition);
  }

  /** What it would do. Nothing is changed. */
  plan(kind: OperationKind, instance: string, input: object): Promise<OperationPlan> {
    const { plan } = this.#definition(kind);
    if (plan === undefined) throw new Error(`the operation ${kind} has no plan`);
    return plan(instance, input);
  }

  /** Resolves when the operation has ended at this process; null = it takes longer, another process has it, or this one stops. */
  async ended(id: string, waitMs = MAX_WAIT_MS): Promise<OperationView | null> {
    const late = new AbortController();
    const operation = await Promise.race([
      this.#running.get(id)?.ended,
      sleep(waitMs, null, { signal: late.signal }).catch(() => null),
    ]).finally(() => late.abort());
    if (operation === undefined) {
      const kept = await findOperation(this.#options.store, { as: 'coordinator' }, id);
      return kept === null || isUnderWay(kept) ? null : operationView(kept, this.#definition(kept.kind));
    }
    return operation === null ? null : operationView(operation, this.#definition(operation.kind));
  }

  /**
   * As it stands now; with `afterRev` once it has changed since then, or ended, or `waitMs` (at most 60,000) are over. Throws
   * OPERATION_NOT_FOUND.
   */
  async view(scope: Scope, id: string, { afterRev = 0, waitMs = 0 } = {}): Promise<OperationView> {
    const until = performance.now() + Math.min(waitMs, MAX_WAIT_MS);
    for (;;) {
      const changed = this.#waiters.next(id);
      try {
        const kept = await findOperation(this.#options.store, scope, id);
        if (kept === null) throw noOperation(id);
        const leftMs = until - performance.now();
        if (kept.rev > afterRev || !isUnderWay(kept) || leftMs <= 0 || this.#stopped)
          return (await this.#views([kept], scope))[0];
        await changed.within(leftMs);
      } finally {
        changed.forget();
      }
    }
  }

  /** The newest first. */
  async list(scope: Scope, query: { instance: string | null; limit?: number; after?: string }) {
    const limit = pageLimit(query.limit);
    const after = decodeCursor(query.after, isTexts(1))?.[0] ?? '';
    const rows = await listOperations(this.#options.store, scope, {
      instance: query.instance,
      after,
      limit: limit + 1,
    });
    const views = await this.#views(rows, scope);
    return pageOf(
      views,
      limit,
      ({ id }) => [id],
      (view) => view,
    );
  }

  /** Goes on with an operation that failed, or was undone: from its first step that is not done. Throws OPERATION_STATE, INSTANCE_BUSY. */
  resume(id: string, by: string): Promise<OperationView> {
    return this.#reopen(id, by, 'running', ['failed', 'undone'], (step) =>
      step.state === 'done' ? step : pendingStep(step.name),
    );
  }

  /** Takes back what an operation made that failed or completed. Throws OPERATION_STATE, INSTANCE_BUSY. */
  undo(id: string, by: string): Promise<OperationView> {
    return this.#reopen(id, by, 'undoing', ['failed', 'completed'], (step) => step);
  }

  async #reopen(
    id: string,
    by: string,
    state: 'running' | 'undoing',
    from: readonly string[],
    stepOf: (step: OperationView['steps'][number]) => OperationView['steps'][number],
  ): Promise<OperationView> {
    if (this.#stopped) throw stopping();
    const kept = await findOperation(this.#options.store, { as: 'coordinator' }, id);
    if (kept === null) throw noOperation(id);
    const definition = this.#definition(kept.kind);
    const wanted = state === 'running' ? 'resumed' : 'undone';
    if (!from.includes(kept.state)) throw wrongState(`an operation that is ${kept.state} cannot be ${wanted}`);
    if (state === 'undoing' && !definition.steps.some(({ undo }) => undo !== undefined))
      throw wrongState(`what a ${kept.kind} does cannot be taken back`);
    const operation: Operation = {
      ...kept,
      state,
      error: null,
      endedAt: null,
      rev: kept.rev + 1,
      steps: kept.steps.map(stepOf),
    };
    const type = `instance.operation_${state === 'running' ? 'resumed' : 'undoing'}`;
    const event = { type, by, data: { operation: id, kind: kept.kind, instance: kept.instance } };
    await this.#options
      .append(journalOf(operation), [event], [reopenOperation(operation, this.#runner)])
      .catch((error: unknown) => this.#refused(error, operation));
    this.#waiters.changed(id);
    this.#carryOut(definition, operation);
    return operationView(operation, definition);
  }

  async #views(operations: readonly KeptOperation[], scope: Scope): Promise<OperationView[]> {
    const hidden = scope.as === 'coordinator' ? [] : operations.filter(({ state }) => state === 'completed');
    const memories =
      hidden.length === 0
        ? null
        : await readMemories(
            this.#options.store,
            hidden.map(({ id }) => id),
          );
    return operations.map((operation) =>
      operationView(
        { ...operation, memory: memories?.get(operation.id) ?? operation.memory },
        this.#definitions.get(operation.kind) ?? null,
      ),
    );
  }

  #definition(kind: OperationKind): AnyDefinition {
    const definition = this.#definitions.get(kind);
    if (definition === undefined) throw new Error(`no operation ${kind} is defined`);
    return definition;
  }

  /** Why the operation could not begin: another one is under way, or it is said as it came. */
  async #refused(error: unknown, operation: Operation): Promise<never> {
    const other = await findHolder(this.#options.store, operation);
    if (other === null) throw error;
    if (other.id === operation.id) throw wrongState('the operation is under way already');
    const said = `a ${other.kind} of "${other.instance}" is under way (operation ${other.id})`;
    throw new ColmeiaError('INSTANCE_BUSY', said, { retryAfterMs: 1_000 });
  }

  #carryOut(definition: AnyDefinition, operation: Operation): void {
    const { clock, log } = this.#options;
    const { id, kind, instance } = operation;
    const said = { operation: id, kind, instance };
    const stop = new AbortController();
    const ended = runOperation(definition, operation, {
      save: (changed, events) => this.#save(changed, events, stop),
      signal: stop.signal,
      now: () => clock.now(),
      failed: (step, error) => log('warn', { ...said, step, err: error }, 'a step of an operation failed'),
    })
      .catch((error: unknown) => {
        if (stop.signal.aborted) return null;
        log('error', { ...said, err: error }, 'an operation could not be kept; it is taken up again');
        this.#hasDropped = true;
        return null;
      })
      .then((last) => {
        this.#running.delete(id);
        return last === null || isUnderWay(last) ? null : last;
      });
    this.#running.set(id, { stop, ended });
  }

  /** Repeated while the database is away; what was made although its answer was lost is not made again. */
  async #save(operation: Operation, events: readonly JournalEvent[], stop: AbortController): Promise<void> {
    const { store, append } = this.#options;
    const statement = updateOperation(operation, this.#runner);
    for (let tries = 1; ; tries++) {
      try {
        if (events.length > 0) await append(journalOf(operation), events, [statement]);
        else await store.write({ as: 'coordinator' }, (sql) => sql.query(statement.text, statement.values));
        break;
      } catch (error) {
        const kept = await findOperation(store, { as: 'coordinator' }, operation.id).catch(() => undefined);
        if (kept === null || (kept !== undefined && kept.runner !== this.#runner)) {
          stop.abort(new Error('another process goes on with the operation'));
          throw error;
        }
        if (kept?.rev === operation.rev) break;
        if (tries >= SAVE_TRIES || stop.signal.aborted) throw error;
        await sleep(Math.min(2_000, 50 * 2 ** tries), undefined, { signal: stop.signal });
      }
    }
    this.#waiters.changed(operation.id);
  }

  get #silentMs(): number {
    return this.#options.silentMs ?? SILENT_MS;
  }

  async #beat(): Promise<void> {
    if (this.#stopped) return;
    try {
      const ids = [...this.#running.keys()];
      const ours = new Set(ids.length === 0 ? [] : await keepOperations(this.#options.store, this.#runner, ids));
      for (const id of ids)
        if (!ours.has(id)) this.#running.get(id)?.stop.abort(new Error('another process goes on with the operation'));
      if (this.#options.store.tier === 'server' || this.#hasDropped) await this.#claim(this.#silentMs);
    } catch (error) {
      this.#options.log('warn', { err: error }, 'operations could not be looked after; tried again');
    }
  }

  async #claim(silentMs: number): Promise<void> {
    const claimed = await claimOperations(this.#options.store, this.#runner, {
      kinds: [...this.#definitions.keys()],
      silentMs,
    });
    if (claimed.length > 0) this.#hasDropped = false;
    for (const operation of claimed) {
      const { id, kind, instance } = operation;
      if (this.#running.has(id)) continue;
      this.#options.log('info', { operation: id, kind, instance }, 'an operation goes on where its process left it');
      this.#carryOut(this.#definition(kind), operation);
    }
  }
}

const journalOf = ({ kind, instance }: Operation): string => (OF_FLEET.includes(kind) ? SYSTEM_INSTANCE : instance);
const stopping = (): ColmeiaError => new ColmeiaError('SHUTTING_DOWN', 'this process is stopping');
const noOperation = (id: string): ColmeiaError =>
  new ColmeiaError('OPERATION_NOT_FOUND', `operation "${id.slice(0, 64)}" not found`);
const wrongState = (message: string): ColmeiaError => new ColmeiaError('OPERATION_STATE', message);

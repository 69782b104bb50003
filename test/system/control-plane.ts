import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Colmeia } from '../../src/colmeia.ts';
import type { ColmeiaOptions } from '../../src/index.ts';
import { ColmeiaError, type ErrorCode, type Fault } from '../../src/platform/errors.ts';

export type ParentMessage =
  | {
      type: 'call';
      id: number;
      path: readonly string[];
      args: readonly unknown[];
      /** The last argument gets the call's signal. */ takesSignal: boolean;
    }
  | { type: 'abort'; id: number }
  | { type: 'close' };
export type ChildMessage =
  | { type: 'ready'; openMs: number }
  | { type: 'answer'; id: number; value: unknown }
  | {
      type: 'refusal';
      id: number;
      error: { code: ErrorCode; message: string; faults: Fault[]; retryAfterMs: number | null };
    }
  | { type: 'log'; level: string; message: string; error: string };

type Pending = { resolve: (value: unknown) => void; reject: (error: unknown) => void };

/** Where an unanswered call ends: the process died, and whether the call took effect is not known. */
export class ControlPlaneDown extends Error {}

/**
 * A control plane in a child process that can be killed and started again. `colmeia` is its public face; what it answered
 * is acknowledged, as the answer is outside of the process. Calls to it while it is down are refused at once.
 */
export class ControlPlane {
  readonly colmeia: Colmeia;
  readonly log: string[] = [];
  /** Why it is gone although nobody ended it. */
  fault: string | null = null;
  readonly #options: ColmeiaOptions;
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;
  #isEnding = false;
  #pending = new Map<number, Pending>();
  #calls = 0;

  constructor(options: ColmeiaOptions, flags: readonly string[] = []) {
    this.#options = options;
    this.#flags = flags;
    this.colmeia = this.#face([]) as Colmeia;
  }

  get isUp(): boolean {
    return this.#child !== null;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** From nothing to an open database: `readyMs` with the start of the process, `openMs` without. */
  async start(): Promise<{ readyMs: number; openMs: number }> {
    const startedAt = performance.now();
    const child = fork(
      path.join(import.meta.dirname, 'control-plane.fixture.ts'),
      [JSON.stringify(this.#options), ...this.#flags],
      {
        execArgv: ['--disable-warning=ExperimentalWarning'],
        stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      },
    );
    let stderr = '';
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr = (stderr + chunk).slice(-4_000)));
    const pending = new Map<number, Pending>();
    const opened = await new Promise<number>((resolve, reject) => {
      child.on('message', (message: ChildMessage) => {
        if (message.type === 'ready') resolve(message.openMs);
        else if (message.type === 'log') this.log.push(`${message.level}: ${message.message} ${message.error}`);
        else this.#answered(pending, message);
      });
      child.once('exit', (code, signal) => {
        reject(new Error(`the control plane ended with ${code ?? signal} before it was ready:\n${stderr}`));
        if (this.#child === child) {
          this.#child = null;
          if (!this.#isEnding) this.fault = `the control plane ended by itself with ${code ?? signal}:\n${stderr}`;
        }
        for (const { reject: fail } of pending.values()) fail(new ControlPlaneDown('the control plane is gone'));
        pending.clear();
      });
    });
    this.#child = child;
    this.#isEnding = false;
    this.#pending = pending;
    return { readyMs: performance.now() - startedAt, openMs: opened };
  }

  /** What was sent before it died is still heard. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null;
    this.#isEnding = true;
    child.kill(signal);
    await gone;
    this.#child = null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** A clean end. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const gone = once(child, 'exit');
    this.#isEnding = true;
    child.send({ type: 'close' } satisfies ParentMessage);
    await gone;
    this.#child = null;
  }

  #answered(pending: Map<number, Pending>, message: Extract<ChildMessage, { id: number }>): void {
    const call = pending.get(message.id);
    pending.delete(message.id);
    if (message.type === 'answer') return call?.resolve(message.value);
    const { code, message: text, faults, retryAfterMs } = message.error;
    call?.reject(new ColmeiaError(code, text, { faults, ...(retryAfterMs === null ? {} : { retryAfterMs }) }));
  }

  #face(at: readonly string[]): unknown {
    return new Proxy(() => {}, {
      get: (_target, name) => (typeof name === 'string' && name !== 'then' ? this.#face([...at, name]) : undefined),
      apply: (_target, _this, args) => this.#call(at, args as unknown[]),
    });
  }

  #call(at: readonly string[], args: unknown[]): Promise<unknown> {
    const child = this.#child;
    if (child === null || !child.connected) return Promise.reject(new ControlPlaneDown('the control plane is down'));
    const id = ++this.#calls;
    const last = args.at(-1) as { signal?: AbortSignal } | undefined;
    const signal = typeof last === 'object' && last !== null ? last.signal : undefined;
    const sent = signal === undefined ? args : [...args.slice(0, -1), { ...last, signal: undefined }];
    const pending = this.#pending;
    return new Promise((resolve, reject) => {
      const abort = (): void =>
        void (child.connected && child.send({ type: 'abort', id } satisfies ParentMessage, () => {}));
      const settled = (): void => signal?.removeEventListener('abort', abort);
      pending.set(id, {
        resolve: (value) => (settled(), resolve(value)),
        reject: (error) => (settled(), reject(error as Error)),
      });
      signal?.addEventListener('abort', abort, { once: true });
      child.send(
        { type: 'call', id, path: at, args: sent, takesSignal: signal !== undefined } satisfies ParentMessage,
        (failure) => {
          if (failure !== null && pending.delete(id)) reject(new ControlPlaneDown(failure.message));
        },
      );
    });
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { OperationKind, OperationView, StepView } from '../../coordination/instances/instance-views.ts';
import { CliError, EXIT, type ExitCode } from './cli-error.ts';
import type { Client } from './client.ts';
import { resultText } from './instance-texts.ts';
import { pathOfOperation } from './paths.ts';
import type { Session } from './session.ts';
import { formatDuration, formatShare, printable } from './table.ts';

const WAIT_MS = 25_000;
/** For how long a server that went away is waited for, and how often it is looked for. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 500;

/** What makes something new that can go again. */
const UNDOABLE: ReadonlySet<OperationKind> = new Set(['create', 'clone', 'export', 'import']);

/**
 * Shows an operation until it ends: a line for each step, what it came to on standard output. An interrupt leaves it running. With
 * `waits` false it only says the id, where it goes on without this process.
 */
export async function followOperation(
  session: Session,
  client: Client,
  begun: OperationView,
  waits = true,
): Promise<ExitCode> {
  const { isServer } = client.transport;
  if (!waits && isServer) {
    session.print(begun, () => `${begun.id}\n`);
    return EXIT.ok;
  }
  if (!waits) session.note('No server is running to go on with it, so this waits for its end.');
  const shown = new ShownSteps(session);
  let operation = begun;
  try {
    shown.show(operation);
    while (isUnderWay(operation)) {
      operation = await next(session, client, operation);
      shown.show(operation);
    }
  } catch (error) {
    if (!session.world.signal.aborted) throw error;
    shown.end();
    session.note(interrupted(operation, isServer));
    return EXIT.failed;
  } finally {
    shown.end();
  }
  return told(session, operation);
}

export const isUnderWay = ({ state }: OperationView): boolean => state === 'running' || state === 'undoing';

/** The operation once it has changed; a server that is being started anew is waited for. */
async function next(session: Session, client: Client, { id, rev }: OperationView): Promise<OperationView> {
  const { signal } = session.world;
  const until = performance.now() + PATIENCE_MS;
  for (let tries = 0; ; tries++) {
    try {
      return await client.get<OperationView>(pathOfOperation(id), { after_rev: rev, wait_ms: WAIT_MS }, signal);
    } catch (error) {
      const isAway = error instanceof CliError && error.exit === EXIT.unavailable;
      if (!isAway || performance.now() > until) throw error;
      if (tries === 0) session.note(`connection lost, trying again: ${error.message}`);
      await sleep(LOOK_MS, undefined, { signal });
    }
  }
}

function interrupted({ id, kind, instance }: OperationView, isServer: boolean): string {
  const goesOn = isServer ? 'goes on' : 'goes on with the next command or server of this home';
  const undo = UNDOABLE.has(kind) ? '; --undo takes it back once it has ended' : '';
  return `The ${kind} of ${instance} ${goesOn}: colmeia instance operation ${id} --follow${undo}`;
}

/** Prints how it ended. */
function told(session: Session, operation: OperationView): ExitCode {
  const { id, kind, instance, state, error } = operation;
  if (session.json) session.print(operation, () => '');
  else if (state === 'completed') session.print(operation, () => resultText(operation));
  else if (state === 'failed') {
    const { code = 'INTERNAL', message = '' } = error ?? {};
    session.note(`colmeia: the ${kind} of ${instance} failed: ${printable(message)} (${code})`);
    const undo = UNDOABLE.has(kind) ? ', --undo takes back what it made' : '';
    session.note(`  colmeia instance operation ${id} --resume goes on with it${undo}`);
  } else {
    const why = error === null ? '' : `: ${printable(error.message)} (${error.code})`;
    session.note(`the ${kind} of ${instance} was taken back${why}`);
  }
  return state === 'completed' || (state === 'undone' && error === null) ? EXIT.ok : EXIT.failed;
}

/** A line for each step that has ended; on a terminal also one for that under way, which is written over. */
class ShownSteps {
  readonly #session: Session;
  readonly #said = new Map<string, string>();
  #hasLive = false;

  constructor(session: Session) {
    this.#session = session;
  }

  show({ steps }: OperationView): void {
    if (this.#session.json) return;
    const ended = steps.filter(({ state }) => ['done', 'failed', 'undone'].includes(state));
    for (const step of ended) {
      if (this.#said.get(step.name) === step.state) continue;
      this.#said.set(step.name, step.state);
      this.#clear();
      this.#session.note(lineOf(step));
    }
    const running = steps.find(({ state }) => state === 'running');
    if (running === undefined || this.#session.world.stderr.isTTY !== true) return;
    this.#clear();
    const { stderr } = this.#session.world;
    stderr.write(lineOf(running).slice(0, Math.max(20, (stderr.columns ?? 80) - 1)));
    this.#hasLive = true;
  }

  end(): void {
    this.#clear();
  }

  #clear(): void {
    if (this.#hasLive) this.#session.world.stderr.write('\r\u001b[K');
    this.#hasLive = false;
  }
}

function lineOf({ name, state, detail, share, started_at, ended_at }: StepView): string {
  const took =
    started_at === null || ended_at === null ? null : formatDuration(Date.parse(ended_at) - Date.parse(started_at));
  const about = [
    share === null ? null : formatShare(share),
    detail === '' ? null : printable(detail),
    took && `(${took})`,
  ];
  return `  ${state.padEnd(8)} ${name.padEnd(12)} ${about.filter((part) => part !== null).join('  ')}`.trimEnd();
}

import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Colmeia, PlanDetail, StreamedEvent } from '../../colmeia.ts';
import type { AgentTransport } from '../../execution/agents/agent-transport.ts';
import { isColmeiaError } from '../../platform/errors.ts';
import type { Log } from '../../platform/observability/log.ts';
import { LOCAL_OPERATOR } from '../../trust/identity/principal.ts';

/** Two folders up from the sources' root and from the build's. */
const FOLDER = fileURLToPath(new URL('../../../examples/release/', import.meta.url));
const ENDED = ['completed', 'failed', 'compensated', 'cancelled', 'rejected'];

export type ExampleOptions = {
  colmeia: Colmeia;
  transport: AgentTransport;
  home: string;
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
  say: (text: string) => void;
  signal: AbortSignal;
};

/**
 * Runs the example decision on an empty store, to its end, before the user's eyes. One that a crash left in the middle goes
 * on. Its agents live only as long as it runs. Gives the
 * id of the plan that ran, or null when there was nothing to do.
 */
export async function runExample(options: ExampleOptions): Promise<string | null> {
  const { colmeia, transport, home, env, log, say, signal } = options;
  const decision = JSON.parse(await fs.readFile(path.join(FOLDER, 'decision.json'), 'utf8')) as { plan_id: string };
  const before = await planOf(colmeia, decision.plan_id);
  if (before === null ? !(await isEmpty(colmeia)) : ENDED.includes(before.status)) return null;

  const { readAgentConfig, startConfiguredAgents } = await import('../../execution/agents/configured-agents.ts');
  const config = await readAgentConfig(path.join(FOLDER, 'agents.json'));
  const lines = new ExampleLines(colmeia, decision.plan_id, say);
  const stopEvents = await colmeia.events.subscribe(LOCAL_OPERATOR, {}, (event) => lines.take(event));
  const agents = await startConfiguredAgents({
    config,
    transport,
    home,
    env: { ...env },
    log: (level, message) => log[level](message),
  });
  try {
    say(
      before === null
        ? `\nThe store is empty, so here is an example (examples/release):`
        : `\nThe example of the last run goes on:`,
    );
    if (before === null) await colmeia.decisions.submit(LOCAL_OPERATOR, decision);
    await lines.begin(before !== null);
    await Promise.race([
      lines.ended,
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
    ]);
  } finally {
    stopEvents();
    await agents.stop();
    // After an interruption they stay, as the next start goes on with them.
    if (!signal.aborted)
      for (const { agent_id } of config.agents) await colmeia.agents.remove(LOCAL_OPERATOR, agent_id);
  }
  return decision.plan_id;
}

async function planOf(colmeia: Colmeia, planId: string): Promise<PlanDetail | null> {
  try {
    return await colmeia.plans.get(LOCAL_OPERATOR, { planId });
  } catch (error) {
    if (isColmeiaError(error, 'PLAN_NOT_FOUND') || isColmeiaError(error, 'PLAN_AMBIGUOUS')) return null;
    throw error;
  }
}

async function isEmpty(colmeia: Colmeia): Promise<boolean> {
  return (await colmeia.plans.list(LOCAL_OPERATOR, { limit: 1 })).items.length === 0;
}

const WORDS: Record<string, string> = {
  'ticket.leased': 'at work',
  'ticket.completed': 'done',
  'ticket.failed': 'failed',
  'ticket.retrying': 'failed, again soon',
  'ticket.compensating': 'to be undone',
  'ticket.compensated': 'undone',
  'ticket.waiting_approval': 'waits for a person',
};

/** One line for each thing that happens to the plan. Events that come before the tickets are known wait for them. */
class ExampleLines {
  readonly #colmeia: Colmeia;
  readonly #planId: string;
  readonly #say: (text: string) => void;
  readonly #names: string[] = [];
  #startedAt = performance.now();
  #waiting: StreamedEvent[] | null = [];
  readonly #over = Promise.withResolvers<void>();

  constructor(colmeia: Colmeia, planId: string, say: (text: string) => void) {
    this.#colmeia = colmeia;
    this.#planId = planId;
    this.#say = say;
  }

  get ended(): Promise<void> {
    return this.#over.promise;
  }

  take(event: StreamedEvent): void {
    if (event.plan !== this.#planId) return;
    if (this.#waiting !== null) this.#waiting.push(event);
    else this.#print(event);
  }

  async begin(again: boolean): Promise<void> {
    await this.#readNames();
    const plan = await this.#colmeia.plans.get(LOCAL_OPERATOR, { planId: this.#planId });
    this.#line(
      again ? 'plan goes on' : 'plan accepted',
      this.#planId,
      `${plan.tickets} tickets, risk ${plan.risk_band}`,
    );
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const event of waiting) this.#print(event);
    if (ENDED.includes(plan.status)) this.#over.resolve();
  }

  #print(event: StreamedEvent): void {
    if (event.ticket !== undefined) {
      const word = WORDS[event.type];
      if (word !== undefined)
        this.#line(`ticket ${word}`, this.#names[event.ticket] ?? `#${event.ticket}`, detailOf(event));
      // A compensation adds tickets; their names come in time for their lines.
      if (this.#names[event.ticket] === undefined || event.type === 'ticket.compensating')
        void this.#readNames().catch(() => {});
    } else if (ENDED.includes(event.type.slice('plan.'.length))) {
      this.#line(
        event.type.replace('.', ' '),
        this.#planId,
        `after ${((performance.now() - this.#startedAt) / 1_000).toFixed(1)} s`,
      );
      this.#over.resolve();
    } else if (['plan.compensating', 'plan.failing', 'plan.waiting_approval'].includes(event.type)) {
      this.#line(event.type.replace('.', ' ').replace('_', ' '), this.#planId, event.why ?? '');
    }
  }

  #line(what: string, name: string, detail: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1_000).toFixed(2).padStart(6);
    this.#say(`  ${seconds} s  ${what.padEnd(26)} ${name.padEnd(22)} ${detail}`.trimEnd());
  }

  async #readNames(): Promise<void> {
    for (let offset = 0; ; offset += 100) {
      const page = await this.#colmeia.tickets.byPlan(LOCAL_OPERATOR, { planId: this.#planId }, { limit: 100, offset });
      for (const [i, ticket] of page.tickets.entries()) this.#names[offset + i] = ticket.task_id;
      if (!page.has_more) return;
    }
  }
}

function detailOf({ data = {} }: StreamedEvent): string {
  const { agent, attempt, duration_ms, error_message } = data;
  return [
    typeof agent === 'string' ? `by ${agent}` : '',
    typeof attempt === 'number' && attempt > 1 ? `attempt ${attempt}` : '',
    typeof duration_ms === 'number' ? `${duration_ms} ms` : '',
    typeof error_message === 'string' ? error_message.split('\n')[0]!.slice(0, 80) : '',
  ]
    .filter((part) => part !== '')
    .join(', ');
}

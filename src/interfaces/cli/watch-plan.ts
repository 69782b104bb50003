import type { Page, PlanDetail, StreamedEvent, TicketView } from '../../colmeia.ts';
import type { RecordedEvent } from '../../trust/audit/journal.ts';
import { EXIT, type ExitCode } from './cli-error.ts';
import type { Client } from './client.ts';
import { followEvents } from './event-stream.ts';
import type { Session } from './session.ts';
import { formatDuration } from './table.ts';
import { tally, ticketTree } from './ticket-tree.ts';

const DRAW_MS = 120;
/** In case an event is missed for whatever reason, the plan is asked for itself now and then. */
const LOOK_AGAIN_MS = 10_000;
const ENDED = new Set(['completed', 'failed', 'compensated', 'cancelled', 'rejected']);
/** After these the tickets are read anew, as some were added or changed in a way that the event does not tell. */
const RELOADS = /^plan\.(compensating|replanned|retried|failing|cancelling|approved)$|^ticket\.compensating$/;
const STATE_OF: Record<string, string> = {
  'ticket.leased': 'running',
  'ticket.completed': 'completed',
  'ticket.failed': 'failed',
  'ticket.retrying': 'backoff',
  'ticket.released': 'ready',
  'ticket.cancelled': 'cancelled',
  'ticket.compensated': 'compensated',
  'ticket.waiting_approval': 'approval',
  'ticket.declined': 'cancelled',
};

/** `fromStart`: also print what happened before the stream stood, as for a plan that was submitted just now. */
export type WatchedPlan = { planId: string; instance?: string; fromStart?: boolean };

/** Shows a plan until it ends. Exit code 0 when it completed, else 1. */
export async function watchPlan(session: Session, ref: WatchedPlan): Promise<ExitCode> {
  return new PlanWatch(session, await session.client(), ref).run();
}

class PlanWatch {
  readonly #session: Session;
  readonly #client: Client;
  readonly #planId: string;
  readonly #query: { instance?: string };
  readonly #live: boolean;
  readonly #stop = new AbortController();
  #plan!: PlanDetail;
  #tickets: TicketView[] = [];
  #drawn = 0;
  #dirty = true;
  #loading: Promise<void> | null = null;
  #loadAgain = false;
  /** Events that came while the tickets were read, which may be older than they are. */
  #meanwhile: StreamedEvent[] = [];
  #note = '';
  /** Events that wait until those before them are printed; null = none have to. */
  #unprinted: StreamedEvent[] | null;

  constructor(session: Session, client: Client, ref: WatchedPlan) {
    this.#session = session;
    this.#client = client;
    this.#planId = ref.planId;
    this.#query = ref.instance === undefined ? {} : { instance: ref.instance };
    this.#live = session.world.stdout.isTTY === true && !session.json;
    this.#unprinted = ref.fromStart === true && !this.#live ? [] : null;
  }

  async run(): Promise<ExitCode> {
    const signal = AbortSignal.any([this.#stop.signal, this.#session.world.signal]);
    const drawing = this.#live ? setInterval(() => this.#draw(), DRAW_MS) : undefined;
    const looking = setInterval(() => void this.#reload().catch(() => {}), LOOK_AGAIN_MS);
    try {
      const stream = followEvents(this.#client, '/api/v1/events', {
        query: { plan_id: this.#planId, ...this.#query },
        signal,
        // The stream stands before the first look, so that nothing falls between the two.
        onOpen: () => {
          this.#note = '';
          this.#reload().catch((error: Error) => this.#stop.abort(error));
        },
        onLost: (why) => {
          this.#note = `connection lost, trying again: ${why}`;
          if (!this.#live) this.#session.note(this.#note);
        },
      });
      for await (const event of stream) this.#take(JSON.parse(event.data) as StreamedEvent);
      if (this.#stop.signal.reason instanceof Error && this.#stop.signal.reason.name !== 'AbortError')
        throw this.#stop.signal.reason;
      if (this.#session.world.signal.aborted) return EXIT.failed;
      return await this.#end();
    } finally {
      clearInterval(drawing);
      clearInterval(looking);
      this.#stop.abort();
    }
  }

  #take(event: StreamedEvent): void {
    if (event.plan !== undefined && event.plan !== this.#planId) return;
    if (this.#unprinted !== null) this.#unprinted.push(event);
    else if (!this.#live) this.#session.printLine(event, () => this.#lineOf(event));
    if (this.#loading !== null) this.#meanwhile.push(event);
    this.#apply(event);
    const ended = event.type.startsWith('plan.') && ENDED.has(event.type.slice('plan.'.length));
    if (ended) this.#stop.abort();
    else if (RELOADS.test(event.type) || (event.ticket !== undefined && this.#tickets[event.ticket] === undefined))
      void this.#reload().catch(() => {});
  }

  #apply(event: StreamedEvent): void {
    const ticket = event.ticket === undefined ? undefined : this.#tickets[event.ticket];
    const state = STATE_OF[event.type];
    if (ticket !== undefined && state !== undefined) {
      ticket.state = state;
      const data = event.data ?? {};
      if (typeof data.attempt === 'number') ticket.attempt = data.attempt;
      if (event.type === 'ticket.leased') {
        ticket.agent_id = typeof data.agent === 'string' ? data.agent : null;
        ticket.started_at = new Date(event.at).getTime();
        ticket.progress = null;
      }
      if (typeof data.duration_ms === 'number') ticket.actual_duration_ms = data.duration_ms;
      if (typeof data.error_message === 'string') ticket.error_message = data.error_message;
    }
    this.#dirty = true;
  }

  /** Reads plan and tickets; calls that come meanwhile share the next read. */
  async #reload(): Promise<void> {
    if (this.#loading !== null) {
      this.#loadAgain = true;
      return this.#loading;
    }
    this.#loading = (async () => {
      do {
        this.#loadAgain = false;
        this.#meanwhile = [];
        this.#plan = await this.#client.get<PlanDetail>(
          `/api/v1/plans/${encodeURIComponent(this.#planId)}`,
          this.#query,
        );
        this.#tickets = await allTickets(this.#client, this.#planId, this.#query);
        for (const event of this.#meanwhile) this.#apply(event);
        await this.#printEarlier();
        this.#dirty = true;
        if (ENDED.has(this.#plan.status)) this.#stop.abort();
      } while (this.#loadAgain && !this.#stop.signal.aborted);
    })().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** What happened before the stream stood comes out of the journal, in its order and once. */
  async #printEarlier(): Promise<void> {
    if (this.#unprinted === null) return;
    const earlier: RecordedEvent[] = [];
    for (let after: string | null = null; ;) {
      const query = { ...this.#query, plan_id: this.#planId, limit: 100, after };
      const page: Page<RecordedEvent> = await this.#client.get('/api/v1/audit/events', query);
      earlier.push(...page.items);
      after = page.next;
      if (after === null) break;
    }
    const streamed: readonly RecordedEvent[] = this.#unprinted;
    this.#unprinted = null;
    const known = new Set(earlier.map((event) => event.n));
    const all = [...earlier.toSorted((a, b) => a.n - b.n), ...streamed.filter((event) => !known.has(event.n))];
    for (const event of all) this.#session.printLine(event, () => this.#lineOf(event));
  }

  async #end(): Promise<ExitCode> {
    await this.#loading?.catch(() => {});
    await this.#reload();
    if (this.#live) this.#draw(true);
    const { status, created_at, ended_at } = this.#plan;
    const took = formatDuration(ended_at === null ? null : ended_at - created_at);
    this.#session.printLine(
      { type: 'result', plan: this.#plan },
      () => `plan ${this.#planId} ${status}${took === null ? '' : ` in ${took}`}: ${tally(this.#tickets)}`,
    );
    return status === 'completed' ? EXIT.ok : EXIT.failed;
  }

  #lineOf(event: RecordedEvent): string {
    const task = event.ticket === undefined ? '' : ` ${this.#tickets[event.ticket]?.task_id ?? `#${event.ticket}`}`;
    const { agent, attempt, duration_ms, error_message } = event.data ?? {};
    const said = [
      typeof agent === 'string' ? `on ${agent}` : '',
      typeof attempt === 'number' && attempt > 1 ? `attempt ${attempt}` : '',
      typeof duration_ms === 'number' ? formatDuration(duration_ms)! : '',
      typeof error_message === 'string' ? error_message : '',
      event.why ?? '',
    ].filter((part) => part !== '');
    return `${new Date(event.at).toISOString()} ${event.type}${task}${said.length === 0 ? '' : ` (${said.join(', ')})`}`;
  }

  #draw(last = false): void {
    // Running tickets show a time that moves.
    if (!this.#dirty && !this.#tickets.some((ticket) => ticket.state === 'running')) return;
    this.#dirty = false;
    if (this.#plan === undefined) return;
    const { stdout } = this.#session.world;
    const width = stdout.columns ?? 80;
    const lines = ticketTree(this.#tickets, {
      now: Date.now(),
      colour: true,
      rows: last ? null : Math.max(3, (stdout.rows ?? 24) - 3),
      width,
    });
    const status = this.#note || `${this.#plan.paused ? 'paused' : this.#plan.status}: ${tally(this.#tickets)}`;
    const screen = [`plan ${this.#planId}`, ...lines, ...(last ? [] : [status])]
      .map((line) => `${line}\u001b[K\n`)
      .join('');
    const back = this.#drawn > 0 ? `\u001b[${this.#drawn}A\r` : '';
    stdout.write(`\u001b[?2026h${back}${screen}\u001b[J\u001b[?2026l`);
    this.#drawn = last ? 0 : lines.length + 2;
  }
}

/** The tree as it stands, with all its tickets. */
export async function printTicketTree(
  session: Session,
  client: Client,
  planId: string,
  instance?: string,
): Promise<void> {
  const { stdout } = session.world;
  const tickets = await allTickets(client, planId, { instance });
  const width = stdout.isTTY ? (stdout.columns ?? 80) : null;
  for (const line of ticketTree(tickets, { now: Date.now(), colour: stdout.isTTY === true, rows: null, width }))
    stdout.write(`${line}\n`);
}

async function allTickets(client: Client, planId: string, query: { instance?: string }): Promise<TicketView[]> {
  const tickets: TicketView[] = [];
  for (;;) {
    const page = await client.get<{ tickets: TicketView[]; has_more: boolean }>(
      `/api/v1/tickets/by-plan/${encodeURIComponent(planId)}`,
      {
        ...query,
        limit: 100,
        offset: tickets.length,
      },
    );
    tickets.push(...page.tickets);
    if (!page.has_more || page.tickets.length === 0) return tickets;
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError, runAgent, type AgentTransport, type RunningAgent } from '../../src/agent.ts';
import type { Colmeia } from '../../src/colmeia.ts';
import { parseTicketId } from '../../src/execution/plans/plan.ts';
import { localTransport } from '../../src/index.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import { ALL_TASK_TYPES, sampleDecision, type SampleTask } from '../flow/sample-decision.ts';

const FIVE: readonly SampleTask[] = [
  { id: 'fetch' },
  { id: 'build', after: ['fetch'] },
  { id: 'lint', after: ['fetch'] },
  { id: 'test', after: ['build'] },
  { id: 'ship', after: ['lint', 'test'] },
];
const AGENTS = 4;
const CONCURRENCY = 32;
const FAILURES = 0.03;
const MOST_MS = 5;
/** A client whose plan does not end begins another one after this. */
const PATIENCE_MS = 8_000;

export type LoadOptions = {
  /** Faces of the control plane; clients and agents are divided among them. */
  faces: readonly Colmeia[];
  companies: readonly string[];
  clients?: number;
};

/** A result that was answered: it must be in the journal under this token. */
export type AcknowledgedResult = { instance: string; plan: string; ticket: number; fence: number };

/**
 * Clients that submit plans of five steps and agents that work them off, for as long as it takes: what is not answered is
 * said again. Everything that was answered is remembered here, outside of the control plane.
 */
export class Load {
  /** Acknowledged plans, by id. */
  readonly accepted = new Map<string, { instance: string }>();
  readonly results: AcknowledgedResult[] = [];
  /** Answers that tell something other than "not now". */
  readonly surprises: string[] = [];
  /** Times of answered results, for gaps. performance.now(). */
  readonly answeredAt: number[] = [];
  readonly #options: LoadOptions;
  readonly #left = new Map<string, { tickets: number; done: () => void }>();
  #agents: RunningAgent[] = [];
  #clients: Promise<void>[] = [];
  #isSubmitting = false;
  #plans = 0;
  /** Of the ids of its plans. */
  readonly #prefix = `load-${Math.random().toString(36).slice(2, 8)}-`;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(): void {
    const { faces, clients = 50 } = this.#options;
    this.#agents = Array.from({ length: AGENTS }, (_, n) =>
      runAgent({
        agentId: `worker-${n}`,
        taskTypes: ALL_TASK_TYPES,
        concurrency: CONCURRENCY,
        transport: this.#listening(localTransport(faces[n % faces.length]!)),
        waitMs: 2_000,
        handleSignals: false,
        log: () => {},
        handler: async ({ plan_id }) => {
          await sleep(Math.random() * MOST_MS);
          // Its own plans have the retries for it; with those of others luck has nothing to do.
          if (plan_id.startsWith(this.#prefix) && Math.random() < FAILURES)
            throw new AgentError('bad luck', 'transient');
          return { ok: 'yes' };
        },
      }),
    );
    this.#isSubmitting = true;
    this.#clients = Array.from({ length: clients }, (_, n) => this.#client(faces[n % faces.length]!, n));
  }

  /** No more plans; agents go on. Resolves when every client has had its last answer. */
  async stopSubmitting(): Promise<void> {
    this.#isSubmitting = false;
    for (const { done } of this.#left.values()) done();
    await Promise.all(this.#clients);
  }

  async stopAgents(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop(0)));
  }

  /** Resolves with the time from now to the next answered result. */
  async nextResult(withinMs = 30_000): Promise<number> {
    const [from, count] = [performance.now(), this.results.length];
    while (this.results.length === count) {
      if (performance.now() - from > withinMs) throw new Error(`no result within ${withinMs} ms`);
      await sleep(2);
    }
    return this.answeredAt[count]! - from;
  }

  async #client(face: Colmeia, n: number): Promise<void> {
    const { companies } = this.#options;
    while (this.#isSubmitting) {
      const number = this.#plans++;
      const planId = `${this.#prefix}${number}`;
      const instance = companies[number % companies.length]!;
      const ended = new Promise<void>((resolve) => this.#left.set(planId, { tickets: FIVE.length, done: resolve }));
      await this.#submit(face, planId, instance, n);
      await Promise.race([ended, sleep(PATIENCE_MS, undefined, { ref: false })]);
      this.#left.delete(planId);
    }
  }

  /** Until it is answered, also when that is the next time the control plane is there. */
  async #submit(face: Colmeia, planId: string, instance: string, n: number): Promise<void> {
    const decision = sampleDecision(planId, FIVE, {
      plan: { risk_band: 'critical' },
      decision: { metadata: { instance } },
    });
    for (;;) {
      try {
        await face.decisions.submit(LOCAL_OPERATOR, decision);
        this.accepted.set(planId, { instance });
        return;
      } catch (error) {
        if (
          isColmeiaError(error) &&
          !['STORE_UNAVAILABLE', 'NOT_OWNER', 'SHUTTING_DOWN', 'QUEUE_FULL'].includes(error.code)
        )
          this.surprises.push(`submit: ${error.code} ${error.message}`);
        if (!this.#isSubmitting && !isColmeiaError(error)) return; // never answered
        await sleep(20 + (n % 20));
      }
    }
  }

  #listening(transport: AgentTransport): AgentTransport {
    const places = new Map<string, AcknowledgedResult>();
    return {
      ...transport,
      lease: async (agentId, request) => {
        const { leases } = await transport.lease(agentId, request);
        for (const { lease_id, fencing_token, ticket } of leases)
          places.set(lease_id, {
            instance: ticket.metadata.instance!,
            plan: ticket.plan_id,
            ticket: parseTicketId(ticket.ticket_id)!.n,
            fence: fencing_token,
          });
        return { leases };
      },
      complete: async (leaseId, done) => {
        const answer = await transport.complete(leaseId, done);
        const place = places.get(leaseId)!;
        places.delete(leaseId);
        this.results.push(place);
        this.answeredAt.push(performance.now());
        const plan = this.#left.get(place.plan);
        if (plan !== undefined && --plan.tickets === 0) plan.done();
        return answer;
      },
    };
  }
}

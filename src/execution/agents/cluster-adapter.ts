import { mkdirSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import type { ClusterAgentConfig } from './agent-config.ts';
import { AgentError, type AttemptStopped, LeaseLeft, messageOf } from './agent-error.ts';
import type { AgentLog, AttemptContext } from './agent-loop.ts';
import type { ErrorClass, LeaseGrant } from './agent-transport.ts';
import { ClusterClient, ClusterFault, type PlanPlace, type RemoteTicket } from './cluster-client.ts';
import { type Diverted, divertedDecision, hopsOf, LOOP_REFUSED } from './diverted-decision.ts';
import { EndedPlans } from './ended-plans.ts';
import { readRunFile, safeName, writeRunFile } from './process-run.ts';

export type ClusterAdapterOptions = {
  config: ClusterAgentConfig;
  /** Folder of agents.json. */
  folder: string;
  /** COLMEIA_HOME. */
  home: string;
  log: AgentLog;
  random?: () => number;
  /** Longest wait for one answer of the other cluster. Default 15,000. */
  answerMs?: number;
};

/** Repeats of a submission that was not answered, before the ticket is given back to be placed elsewhere. */
const SUBMIT_REPEATS = 2;
/** Between two looks at a plan: while the event stream stands, and the first and longest without it. */
const CONNECTED_MS = 15_000;
const FIRST_LOOK_MS = 1_000;
const LONGEST_LOOK_MS = 10_000;
/** How long a cluster that refuses the key or the company is left alone by a ticket that it refused. */
const MISCONFIGURED_MS = 10_000;
const CANCEL_REPEATS = 3;
/** An attempt and a stop wait this long for a cancel to arrive; it goes on behind them. */
const CANCEL_WAIT_MS = 2_000;
/** Plans that ended without their work being done, and can go on. */
const UNDONE = new Set(['failed', 'cancelled', 'compensated']);

/**
 * An agent that hands tickets to another Colmeia: one plan there for each ticket, whose id follows from the ticket, so that
 * repeats, further attempts and restarts of either side all mean the same plan. Its effect counts once.
 */
export class ClusterAdapter {
  readonly #options: ClusterAdapterOptions;
  readonly #client: ClusterClient;
  readonly #ends: EndedPlans;
  readonly #leases: string;
  /** Which lease works on a plan now; one that lost its lease does not cancel what the next attempt waits for. */
  readonly #owners = new Map<string, string>();
  readonly #cancelling = new Map<string, Promise<void>>();
  readonly #heldAtStart = new Set<string>();
  #lastTrouble = '';

  constructor(options: ClusterAdapterOptions) {
    const { config, folder, home, log, answerMs, random = Math.random } = options;
    const { address, key_file, instance } = config.colmeia;
    this.#options = options;
    if (isInTheClear(address))
      log('warn', `${config.agent_id}: ${address} is not https: its key can be read on the way`);
    this.#client = new ClusterClient({ address, keyFile: resolve(folder, key_file), answerMs });
    this.#ends = new EndedPlans({ client: this.#client, instance, random });
    this.#leases = join(resolve(home), 'diverted', safeName(config.agent_id));
    mkdirSync(this.#leases, { recursive: true, mode: 0o700 });
  }

  async close(): Promise<void> {
    this.#ends.close();
    await withinMs(Promise.all(this.#cancelling.values()), CANCEL_WAIT_MS);
    await this.#client.close();
  }

  /** Leases whose tickets were with the other cluster when the last control plane ended. */
  async held(): Promise<LeaseGrant[]> {
    const files = (await readdir(this.#leases)).filter((file) => file.endsWith('.json'));
    const leases = files.flatMap((file) => readRunFile<LeaseGrant>(this.#leases, file) ?? []);
    for (const { lease_id } of leases) this.#heldAtStart.add(lease_id);
    return leases;
  }

  /** The result was answered, or the lease is lost: nothing has to be taken up again. */
  async settled(leaseId: string): Promise<void> {
    this.#heldAtStart.delete(leaseId);
    await rm(join(this.#leases, fileOf(leaseId)), { force: true });
  }

  /** The handler. */
  run = async (ticket: ExecutionTicket, context: AttemptContext): Promise<Record<string, string>> => {
    const { attempt, fencingToken, leaseId } = context;
    const { instance } = this.#options.config.colmeia;
    const diverted = divertedDecision(ticket, instance);
    const limit = AbortSignal.timeout(Math.min(ticket.sla.timeout_ms, 2 ** 31 - 1));
    const signal = AbortSignal.any([limit, context.signal]);
    const stay = { isThere: this.#heldAtStart.has(leaseId) };
    this.#owners.set(diverted.planId, leaseId);
    try {
      await this.#cancelling.get(diverted.planId);
      await this.#refuseLoop(ticket, signal);
      writeRunFile(this.#leases, fileOf(leaseId), {
        lease_id: leaseId,
        fencing_token: fencingToken,
        attempt,
        expires_at: Date.now(),
        ticket,
      } satisfies LeaseGrant);
      await this.#begin(diverted, !stay.isThere, stay, context, signal);
      return await this.#end(diverted, stay, context, signal);
    } catch (error) {
      throw await this.#leave(diverted, stay.isThere && !isTheirs(error), context, limit, error);
    } finally {
      if (this.#owners.get(diverted.planId) === leaseId) this.#owners.delete(diverted.planId);
    }
  };

  /** What the attempt ended with, after the plan there was stopped where nobody needs it any more. */
  async #leave(
    place: PlanPlace,
    isThere: boolean,
    { signal, leaseId, log }: AttemptContext,
    limit: AbortSignal,
    error: unknown,
  ): Promise<unknown> {
    const stopped = signal.aborted ? (signal.reason as AttemptStopped) : null;
    // The plan goes on while this control plane is away; the next start takes it up.
    if (stopped?.why === 'stopping' && isThere) return new LeaseLeft('the ticket stays with the other cluster');
    if (isThere && this.#owners.get(place.planId) === leaseId) {
      const cancelled = this.#cancel(place, stopped?.message ?? messageOf(error));
      this.#cancelling.set(place.planId, cancelled);
      void cancelled.then(() => this.#cancelling.delete(place.planId));
      await withinMs(cancelled, CANCEL_WAIT_MS);
    }
    if (stopped !== null) return stopped;
    if (limit.aborted) return new AgentError('the other cluster did not finish the ticket in time', 'timeout');
    log(messageOf(error));
    return error;
  }

  /** Never throws: a plan that cannot be stopped ends by itself, and its result is not taken. */
  async #cancel(place: PlanPlace, why: string): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        return await this.#client.cancel(place, `given up by the cluster it came from: ${why}`.slice(0, 1_000));
      } catch (error) {
        const code = error instanceof ClusterFault ? error.code : null;
        if (code === 'PLAN_STATE' || code === 'PLAN_NOT_FOUND') return;
        if (failures >= CANCEL_REPEATS) return this.#trouble(`plan ${place.planId} may go on: ${messageOf(error)}`);
        await sleep(this.#backoffMs(failures));
      }
    }
  }

  /** A ticket that came over too many clusters, or from the one it would go to, stays here. */
  async #refuseLoop(ticket: ExecutionTicket, signal: AbortSignal): Promise<void> {
    const { address, max_hops } = this.#options.config.colmeia;
    const hops = hopsOf(ticket);
    if (hops.length === 0) return;
    if (hops.length >= max_hops)
      throw new AgentError(`${LOOP_REFUSED} through ${hops.length} clusters, and ${max_hops} is the most`, 'poison');
    for (const { ticket_id, plan_id, created_at } of hops) {
      const isOrigin = await this.#client.hasTicket(ticket_id, plan_id, created_at, signal).catch((error: unknown) => {
        throw error instanceof ClusterFault ? this.#errorOf(error) : error;
      });
      if (isOrigin) throw new AgentError(`${LOOP_REFUSED} it came from ${address}`, 'poison');
    }
  }

  /** The plan is there and not ended. `isNew` false: the attempt went on while this process was away, and an end counts. */
  async #begin(
    diverted: Diverted,
    isNew: boolean,
    stay: Stay,
    context: AttemptContext,
    signal: AbortSignal,
  ): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        const status = await this.#submit(diverted, context, signal);
        if (status === 'rejected') throw new AgentError('the other cluster rejected the ticket', 'poison');
        stay.isThere = true;
        this.#works();
        if (isNew && UNDONE.has(status)) await this.#retry(diverted, context, signal);
        return;
      } catch (error) {
        if (!(error instanceof ClusterFault)) throw error;
        stay.isThere ||= error.mayHaveArrived;
        if (failures >= SUBMIT_REPEATS || !mayPass(error)) throw this.#errorOf(error);
        await sleep(this.#backoffMs(failures), undefined, { signal });
      }
    }
  }

  async #submit(diverted: Diverted, { log }: AttemptContext, signal: AbortSignal): Promise<string> {
    try {
      const { status, duplicate } = await this.#client.submit(diverted.decision, signal);
      log(`${duplicate ? 'is' : 'handed to'} plan ${diverted.planId} of ${this.#options.config.colmeia.address}`);
      return status;
    } catch (error) {
      // Sent before under another configuration: the id says that it is this ticket all the same.
      if (error instanceof ClusterFault && error.code === 'PLAN_CONFLICT')
        return this.#client.planStatus(diverted, signal);
      throw error;
    }
  }

  /** PLAN_STATE: it goes on already, or ended a moment ago and cannot yet. */
  async #retry(place: PlanPlace, { attempt }: AttemptContext, signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        return await this.#client.retry(place, `attempt ${attempt} of the cluster it came from`, signal);
      } catch (error) {
        if (!(error instanceof ClusterFault && error.code === 'PLAN_STATE')) throw error;
        if (failures >= SUBMIT_REPEATS || !UNDONE.has(await this.#client.planStatus(place, signal))) return;
        await sleep(this.#backoffMs(failures), undefined, { signal });
      }
    }
  }

  /** Waits for the end of the plan: woken by its event, and looking now and then. */
  async #end(
    diverted: Diverted,
    stay: Stay,
    context: AttemptContext,
    signal: AbortSignal,
  ): Promise<Record<string, string>> {
    let state = '';
    let pause = FIRST_LOOK_MS;
    let awaySince: number | null = null;
    let faults = 0;
    for (;;) {
      let again = 0;
      try {
        const ticket = await this.#client.ticketOfPlan(diverted, signal);
        this.#works();
        awaySince = null;
        faults = 0;
        if (ticket.state !== state) context.log(`it is ${ticket.state} there`);
        state = ticket.state;
        if (ticket.progress !== null) context.progress(ticket.progress);
        if (state === 'completed') return outputOf(ticket, context);
        if (state === 'failed' || state === 'cancelled') throw await this.#failureOf(diverted, ticket, signal);
      } catch (error) {
        if (!(error instanceof ClusterFault)) throw error;
        // An end may have been missed with the answer, so it is not waited for as long as usual.
        again = error.retryAfterMs ?? Math.min(LONGEST_LOOK_MS, this.#backoffMs(faults));
        faults++;
        awaySince ??= Date.now();
        if (Date.now() - awaySince > this.#options.config.colmeia.unreachable_ms) throw this.#errorOf(error);
        if (error.code === 'PLAN_NOT_FOUND') {
          context.log('the other cluster does not know the plan any more; it is handed in again');
          await this.#begin(diverted, true, stay, context, signal);
        } else this.#trouble(messageOf(error));
      }
      const usual = this.#ends.connected ? CONNECTED_MS : pause;
      await this.#ends.wait(diverted.planId, faults > 0 ? again : usual, signal);
      signal.throwIfAborted();
      pause = Math.min(LONGEST_LOOK_MS, pause * 2);
    }
  }

  async #failureOf(place: PlanPlace, { state, error }: RemoteTicket, signal: AbortSignal): Promise<AgentError> {
    if (state === 'cancelled') return new TheirEnd('it was cancelled in the other cluster', 'transient');
    const why = error ?? 'the other cluster gave no reason';
    if (why.startsWith(LOOP_REFUSED)) return new TheirEnd(why, 'transient');
    return new TheirEnd(why, (await this.#client.errorClassOf(place, signal)) ?? 'transient');
  }

  /**
   * A fault of the way, not of the ticket: it may run elsewhere, so a refused key or company is not `auth`, which would be
   * its end. Only what the other side says about the content is for good.
   */
  #errorOf(fault: ClusterFault): AgentError {
    const { code, status, retryAfterMs } = fault;
    if (status === 429) return new AgentError(fault.message, 'quota', { retryAfterMs, cause: fault });
    if (code === 'INVALID_DECISION' || code === 'INVALID_REQUEST' || code === 'TOO_LARGE')
      return new AgentError(fault.message, 'poison', { cause: fault });
    this.#trouble(fault.message);
    const isRefusal = code === 'CONFIG_INVALID' || (status !== null && status < 500);
    const wait = retryAfterMs ?? (isRefusal ? MISCONFIGURED_MS : null);
    return new AgentError(fault.message, 'transient', { retryAfterMs: wait, cause: fault });
  }

  #backoffMs(failures: number): number {
    return 200 * 2 ** failures * (0.5 + 0.5 * (this.#options.random ?? Math.random)());
  }

  /** For the operator, once until it changes; each ticket's own log has the rest. */
  #trouble(message: string): void {
    if (message === this.#lastTrouble) return;
    this.#lastTrouble = message;
    this.#options.log('warn', `${this.#options.config.agent_id}: ${message}`);
  }

  #works(): void {
    this.#lastTrouble = '';
  }
}

/** Whether the plan may be there, and may have to be cancelled. */
type Stay = { isThere: boolean };

/** The plan there came to its end, so there is nothing to cancel. */
class TheirEnd extends AgentError {
  constructor(message: string, errorClass: ErrorClass) {
    super(message, errorClass);
  }
}

const isTheirs = (error: unknown): boolean => error instanceof TheirEnd;
const fileOf = (leaseId: string): string => `${safeName(leaseId)}.json`;

/** Worth a repeat within the attempt: no answer, an answer of something in between, or one that says so. */
function mayPass({ status, code }: ClusterFault): boolean {
  if (code === 'CONFIG_INVALID') return false;
  return status === null || status >= 500 || (code === null && ![401, 403, 429].includes(status));
}

function outputOf({ result }: RemoteTicket, context: AttemptContext): Record<string, string> {
  for (const line of result?.logs ?? []) context.log(line);
  context.metadata(result?.metadata ?? {});
  return result?.output ?? {};
}

async function withinMs(work: Promise<unknown>, ms: number): Promise<void> {
  const waited = new AbortController();
  await Promise.race([work, sleep(ms, undefined, waited).catch(() => {})]);
  waited.abort();
}

function isInTheClear(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

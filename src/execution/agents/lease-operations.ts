import type { Colmeia } from '../../colmeia.ts';
import { parseRecord } from '../../platform/contracts/parse-record.ts';
import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { mustHave } from '../../trust/identity/may.ts';
import { actorOf, type Principal } from '../../trust/identity/principal.ts';
import type { Context } from '../context.ts';
import { attemptsOf, tokenOf } from '../flow/attempt.ts';
import type { LeaseRef } from '../flow/company-writer.ts';
import type { ErrorClass } from '../flow/flow-state.ts';
import { findTicketById } from '../plans/find-ticket.ts';
import { instanceNoOf, leaseIdOf, parseLeaseId, ticketIdOf } from '../plans/plan.ts';
import { findTicket } from '../plans/plan-store.ts';
import { agentIdOf, agentKeyOf } from './agent.ts';
import { completeTicket } from './complete-ticket.ts';

export const ERROR_CLASSES: readonly ErrorClass[] = ['transient', 'quota', 'auth', 'poison', 'timeout'];
const ERROR_LIMIT = 8_000;

export function leaseOperations(context: Context): Colmeia['leases'] {
  const { writers, instances, registry, store } = context;

  /** The lease a caller may speak for. What is not its own answers like what is not there. */
  const find = async (who: Principal, leaseId: string, fence: unknown): Promise<LeaseRef> => {
    const notFound = (): ColmeiaError => new ColmeiaError('LEASE_NOT_FOUND', `lease "${leaseId}" not found`);
    const place = parseLeaseId(leaseId);
    const company = place && (await instances.byNo(instanceNoOf(place.key)));
    if (!place || !company || (who.instance !== null && who.instance !== company.name)) throw notFound();
    if (who.kind === 'agent' && !(await isHolder(who, leaseId, place))) throw notFound();
    if (fence !== place.fence) {
      throw new ColmeiaError('LEASE_FENCED', `fencing token ${String(fence)} is not that of lease "${leaseId}"`);
    }
    return { instance: company.name, key: place.key, n: place.n, fence: place.fence };
  };

  /** An agent's key speaks for its own leases only. */
  const isHolder = async (who: Principal, leaseId: string, place: { key: number; n: number }): Promise<boolean> => {
    const isOwn = (agent: string | null): boolean =>
      agent !== null &&
      (who.agentId === null
        ? agent.startsWith(agentKeyOf(who.instance, ''))
        : agent === agentKeyOf(who.instance, who.agentId));
    const live = registry.lease(leaseId);
    if (live !== undefined) return isOwn(live.agent);
    const found = await findTicket(store, { as: 'coordinator' }, place.key, place.n);
    return found !== null && (isOwn(found.ticket.agent) || isOwn(found.ticket.note?.copy?.agent ?? null));
  };

  const complete = async (
    who: Principal,
    lease: LeaseRef,
    request: { output: Record<string, unknown>; metadata?: Record<string, unknown>; logs?: readonly string[] },
  ) => {
    const warnings = await completeTicket(context, who, lease, request.output, request.metadata, request.logs);
    const said = warnings.length === 0 ? {} : { warnings };
    return { ticket_id: ticketIdOf(lease.key, lease.n), status: 'COMPLETED', ...said };
  };

  const fail = async (
    who: Principal,
    lease: LeaseRef,
    errorClass: ErrorClass,
    error: string,
    retryAfterMs: number | null,
  ) => {
    const cut = error.toWellFormed().slice(0, ERROR_LIMIT);
    await writers.at(lease.instance, (writer) =>
      writer.fail({ ...lease, errorClass, error: cut, retryAfterMs, who: { by: actorOf(who) } }),
    );
    return { ticket_id: ticketIdOf(lease.key, lease.n), status: 'FAILED' };
  };

  return {
    async heartbeat(who, leaseId, { fencing_token, progress, logs }) {
      mustHave(who, 'run');
      const faults = [...logFaults(logs)];
      if (progress !== undefined && !(typeof progress === 'number' && Number.isFinite(progress)))
        faults.push({ path: 'progress', message: 'must be a number' });
      refuse(faults);
      const lease = await find(who, leaseId, fencing_token);
      const { expiresAt, cancel } = await writers.at(lease.instance, (writer) =>
        writer.heartbeat({ ...lease, progress, logs }),
      );
      return { expires_at: expiresAt, cancel };
    },
    async complete(who, leaseId, request) {
      mustHave(who, 'run');
      const faults = [
        ...logFaults(request.logs),
        ...mapFaults(request.output, 'output'),
        ...mapFaults(request.metadata ?? {}, 'metadata'),
      ];
      refuse(faults);
      return complete(who, await find(who, leaseId, request.fencing_token), request);
    },
    async fail(who, leaseId, { fencing_token, error_message, error_class, retry_after_ms }) {
      mustHave(who, 'run');
      const faults: Fault[] = [];
      if (typeof error_message !== 'string') faults.push({ path: 'error_message', message: 'must be a text' });
      if (!ERROR_CLASSES.includes(error_class))
        faults.push({ path: 'error_class', message: `must be one of ${ERROR_CLASSES.join(', ')}` });
      if (
        retry_after_ms !== undefined &&
        !(Number.isInteger(retry_after_ms) && retry_after_ms >= 0 && retry_after_ms <= 86_400_000)
      ) {
        faults.push({ path: 'retry_after_ms', message: 'must be a whole number from 0 to 86400000' });
      }
      refuse(faults);
      return fail(who, await find(who, leaseId, fencing_token), error_class, error_message, retry_after_ms ?? null);
    },
    async release(who, leaseId, { fencing_token, reason }) {
      mustHave(who, 'run');
      const isText = typeof reason === 'string' && reason.isWellFormed() && !reason.includes('\u0000');
      if (reason !== undefined && !isText) refuse([{ path: 'reason', message: 'must be a text' }]);
      const lease = await find(who, leaseId, fencing_token);
      const why = reason === undefined ? {} : { why: reason.slice(0, ERROR_LIMIT) };
      await writers.at(lease.instance, (writer) => writer.release({ ...lease, who: { by: actorOf(who), ...why } }));
      return { ticket_id: ticketIdOf(lease.key, lease.n), status: 'PENDING' };
    },
    async result(who, value) {
      mustHave(who, 'run');
      const parsed = parseRecord('ExecutionResult', value);
      if (!parsed.ok) return refuse(parsed.faults);
      const { ticket_id, status, result, error_message, agent_id } = parsed.record;
      const { of, ticket } = await findTicketById(store, who, ticket_id);
      const running = attemptsOf(ticket).find((attempt) => agentIdOf(attempt.agent) === agent_id);
      const { fence, agent } = running ?? { fence: tokenOf(ticket), agent: ticket.agent };
      const given = result.metadata.fencing_token;
      if (agent === null || agentIdOf(agent) !== agent_id || (given !== undefined && Number(given) !== fence)) {
        throw new ColmeiaError('LEASE_FENCED', `agent "${agent_id}" does not hold ticket "${ticket_id}"`);
      }
      const leaseId = leaseIdOf(of.key, ticket.n, fence);
      const lease = await find(who, leaseId, fence);
      if (status === 'RUNNING') {
        await writers.at(lease.instance, (writer) => writer.heartbeat({ ...lease, logs: result.logs }));
        return { ticket_id, status };
      }
      const isDone = status === 'COMPLETED' && result.success;
      return isDone
        ? complete(who, lease, result)
        : fail(who, lease, errorClassOf(result.metadata.error_class), error_message ?? 'failed', null);
    },
  };
}

const errorClassOf = (name: string | undefined): ErrorClass =>
  ERROR_CLASSES.includes(name as ErrorClass) ? (name as ErrorClass) : 'transient';

function mapFaults(value: unknown, path: string): Fault[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? []
    : [{ path, message: 'must be an object' }];
}

function logFaults(logs: unknown): Fault[] {
  if (logs === undefined) return [];
  if (!Array.isArray(logs) || logs.length > 1_000)
    return [{ path: 'logs', message: 'must be a list of at most 1000 lines' }];
  return logs
    .flatMap((line, i) => (typeof line === 'string' ? [] : [{ path: `logs[${i}]`, message: 'must be a text' }]))
    .slice(0, 100);
}

function refuse(faults: readonly Fault[]): never {
  if (faults.length > 0)
    throw new ColmeiaError('INVALID_REQUEST', `the request is invalid: ${faults[0].path} ${faults[0].message}`, {
      faults: [...faults],
    });
  return undefined as never;
}

import type { Colmeia } from '../../colmeia.ts';
import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { decodeCursor, isTexts, pageLimit, pageOf } from '../../platform/page.ts';
import { filterOf, mustDirect, mustHave, scopeOf } from '../../trust/identity/may.ts';
import { actorOf, SYSTEM_INSTANCE, type Principal } from '../../trust/identity/principal.ts';
import type { Context } from '../context.ts';
import { agentIdOf, agentKeyOf, type AgentSpec, type AgentState } from './agent.ts';
import { deleteAgent, findAgents, listAgents, setAgentState, upsertAgent, type KeptAgent } from './agent-store.ts';
import { keepTelemetry, parseTelemetry } from './agent-telemetry.ts';
import { agentDetail, agentView } from './agent-view.ts';
import { listUsage, usageOfAgent } from './token-usage-store.ts';
import type { LiveAgent } from './live-agent.ts';
import { parseAgentSpec } from './parse-agent-spec.ts';
import { RecentPolls } from './recent-polls.ts';

const MAX_WAIT_MS = 60_000;

export function agentOperations(context: Context): Colmeia['agents'] {
  const { store, registry, writers, clock, settings } = context;
  const recent = new RecentPolls(clock);

  /** The agent a caller may act as. Throws AGENT_NOT_FOUND; FORBIDDEN for a key of another agent. */
  const find = async (who: Principal, agentId: string): Promise<LiveAgent> => {
    mustActAs(who, agentId);
    const known = registry.get(agentKeyOf(who.instance, agentId));
    if (known !== undefined) return known;
    const kept = await findKept(who, agentId);
    return registry.get(agentKeyOf(kept.instance, agentId)) ?? registry.put(kept.instance, kept.spec, kept.state);
  };

  const findKept = async (who: Principal, agentId: string): Promise<KeptAgent> => {
    const notFound = new ColmeiaError('AGENT_NOT_FOUND', `agent "${agentId}" not found`);
    if (agentId.includes('\u0000')) throw notFound;
    const kept = (await findAgents(store, { as: 'coordinator' }, agentId)).filter(
      (agent) => agent.instance === who.instance || (who.kind === 'operator' && who.instance === null),
    );
    // An operator means the fleet's own agent first.
    const found = kept.find((agent) => agent.instance === null) ?? kept[0];
    if (found === undefined) throw notFound;
    return found;
  };

  const change = async (
    who: Principal,
    agent: { instance: string | null; spec: AgentSpec },
    type: string,
    statement: { text: string; values: readonly unknown[] },
  ) => {
    const instance = agent.instance ?? SYSTEM_INSTANCE;
    const event = { type, by: actorOf(who), data: { agent: agent.spec.agent_id } };
    await writers.at(instance, (writer) => writer.append({ instance, events: [event], statements: [statement] }));
  };

  const setState = async (who: Principal, agentId: string, state: AgentState, event: string) => {
    mustHave(who, 'run');
    const agent = await find(who, agentId);
    if (agent.state !== state) {
      await change(who, agent, event, setAgentState(agent.instance, agentId, state));
      writers.agentChanged({ instance: agent.instance, spec: agent.spec, state });
    }
    return { agent_id: agentId, state };
  };

  return {
    async register(who, value) {
      mustHave(who, 'run');
      const spec = parseAgentSpec(value);
      mustActAs(who, spec.agent_id);
      const { instance } = who;
      const held = heldLeases((value as { held?: unknown }).held);
      const known = registry.get(agentKeyOf(instance, spec.agent_id));
      const isNews =
        known === undefined || known.state === 'draining' || JSON.stringify(known.spec) !== JSON.stringify(spec);
      if (isNews) await change(who, { instance, spec }, 'agent.registered', upsertAgent(instance, spec, clock.now()));
      // A cordon outlives the agent's restarts.
      const kept = known ?? (await findAgents(store, { as: 'coordinator' }, spec.agent_id)).find(isOf(instance));
      const state = kept?.state === 'cordoned' ? 'cordoned' : 'active';
      if (isNews || held !== undefined) writers.agentChanged({ instance, spec, state, held });
      const agent = registry.get(agentKeyOf(instance, spec.agent_id));
      if (agent) registry.seen(agent);
      return {
        agent_id: spec.agent_id,
        heartbeat_interval_ms: settings.heartbeatIntervalMs,
        lease_duration_ms: registry.leaseDurationMs,
      };
    },
    async heartbeat(who, agentId, { telemetry }) {
      mustHave(who, 'run');
      const agent = await find(who, agentId);
      registry.seen(agent, true); // alive it is, whatever it says
      if (telemetry !== undefined) {
        const faults: Fault[] = [];
        const values = parseTelemetry(telemetry, faults);
        if (faults.length > 0) throw invalid(faults);
        agent.telemetry = keepTelemetry(agent.telemetry, values, clock.now());
      }
      return { agent_id: agentId, state: agent.state };
    },
    drain: (who, agentId) => setState(who, agentId, 'draining', 'agent.draining'),
    async cordon(who, agentId) {
      mustHave(who, 'run');
      mustDirect(who);
      return setState(who, agentId, 'cordoned', 'agent.cordoned');
    },
    async uncordon(who, agentId) {
      mustHave(who, 'run');
      mustDirect(who);
      return setState(who, agentId, 'active', 'agent.uncordoned');
    },
    async remove(who, agentId) {
      mustHave(who, 'run');
      const agent = await find(who, agentId);
      await change(who, agent, 'agent.removed', deleteAgent(agent.instance, agentId));
      writers.agentChanged({ instance: agent.instance, agentId });
    },
    async get(who, agentId) {
      mustHave(who, 'read');
      mustDirectOrBe(who, agentId);
      const kept = await findKept(who, agentId);
      const usage = await usageOfAgent(store, scopeOf(who), agentKeyOf(kept.instance, agentId));
      return agentDetail(context, kept, usage);
    },
    async list(who, query) {
      mustHave(who, 'read');
      mustDirect(who);
      const limit = pageLimit(query.limit);
      const after = decodeCursor(query.after, isTexts(2)) ?? ['', ''];
      const rows = await listAgents(store, scopeOf(who), {
        instance: filterOf(who, query.instance),
        after: { instance: after[0], id: after[1] },
        limit: limit + 1,
      });
      return pageOf(
        rows,
        limit,
        (agent) => [agent.instance ?? SYSTEM_INSTANCE, agent.spec.agent_id],
        (agent) => agentView(context, agent),
      );
    },
    async usage(who, query) {
      mustHave(who, 'read');
      mustDirect(who);
      const limit = pageLimit(query.limit);
      const [instance, agent] = decodeCursor(query.after, isTexts(2)) ?? ['', ''];
      const byAgent = query.by === 'agent';
      const scope = { instance: filterOf(who, query.instance), byAgent, after: { instance, agent }, limit: limit + 1 };
      return pageOf(
        await listUsage(store, scopeOf(who), scope),
        limit,
        (row) => [row.instance, row.agent ?? ''],
        ({ agent: key, ...row }) => ({ ...row, agent_id: key === null ? null : agentIdOf(key) }),
      );
    },
    async lease(who, agentId, request, more = {}) {
      mustHave(who, 'run');
      const agent = await find(who, agentId);
      const max = wholeNumber(request.max ?? 1, 'max', 1, 1_000);
      const waitMs = wholeNumber(request.wait_ms ?? 30_000, 'wait_ms', 0, MAX_WAIT_MS);
      const known = { instance: agent.instance, spec: agent.spec, state: agent.state };
      const granted = await recent.once(agent.key, more.idempotencyKey, () =>
        writers.poll(known, max, waitMs, more.signal),
      );
      return {
        leases: granted.map((lease) => ({
          lease_id: lease.leaseId,
          fencing_token: lease.fence,
          attempt: lease.attempt,
          expires_at: lease.expiresAt,
          ticket: lease.ticket,
        })),
      };
    },
  };
}

/** Operators and companies may act as any agent of theirs; an agent's key only as the agent it names. */
export function mustActAs(who: Principal, agentId: string): void {
  if (who.kind === 'agent' && who.agentId !== null && who.agentId !== agentId) {
    throw new ColmeiaError('FORBIDDEN', 'this key belongs to another agent');
  }
}

const HELD_LIMIT = 10_000;

function heldLeases(held: unknown): string[] | undefined {
  if (held === undefined || held === null) return undefined;
  if (Array.isArray(held) && held.length <= HELD_LIMIT && held.every((id) => typeof id === 'string')) return held;
  const message = `must be a list of at most ${HELD_LIMIT} lease ids`;
  throw new ColmeiaError('INVALID_REQUEST', `held ${message}`, { faults: [{ path: 'held', message }] });
}

function mustDirectOrBe(who: Principal, agentId: string): void {
  if (who.kind === 'agent') mustActAs(who, agentId);
}

const isOf =
  (instance: string | null) =>
  (agent: KeptAgent): boolean =>
    agent.instance === instance;

const invalid = (faults: Fault[]): ColmeiaError =>
  new ColmeiaError('INVALID_REQUEST', `the request is invalid: ${faults[0].path} ${faults[0].message}`, { faults });

function wholeNumber(value: unknown, path: string, min: number, max: number): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  const message = `must be a whole number from ${min} to ${max}`;
  throw new ColmeiaError('INVALID_REQUEST', `${path} ${message}`, { faults: [{ path, message }] });
}

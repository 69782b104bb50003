import type { AgentDetail, AgentView } from '../../colmeia.ts';
import type { Context } from '../context.ts';
import { agentKeyOf } from './agent.ts';
import { telemetrySamples } from './agent-telemetry.ts';
import type { Life } from './agent-life.ts';
import type { KeptAgent } from './agent-store.ts';
import type { KeptUsage } from './token-usage-store.ts';

/** What people see of an agent: what is kept, and what this process knows of it. */
export function agentView({ registry, clock }: Context, { instance, spec, state }: KeptAgent): AgentView {
  const live = registry.get(agentKeyOf(instance, spec.agent_id));
  const life: Life = spec.kind === 'person' ? 'alive' : (live?.life.life ?? 'gone');
  const heldUntil = live?.life.heldUntil ?? 0;
  return {
    ...spec,
    instance,
    state: state === 'active' && life !== 'alive' ? life : state,
    life,
    held_until: heldUntil > clock.now() ? heldUntil : null,
    last_seen_at: live?.life.lastSeenAt ?? null,
    running: live?.leases.size ?? 0,
    telemetry: live?.telemetry ? { at: live.telemetry.at, values: live.telemetry.values } : null,
  };
}

export function agentDetail(context: Context, kept: KeptAgent, usage: KeptUsage): AgentDetail {
  const live = context.registry.get(agentKeyOf(kept.instance, kept.spec.agent_id));
  return {
    ...agentView(context, kept),
    registered_at: kept.registeredAt.getTime(),
    versions: kept.versions,
    telemetry_history: live?.telemetry ? telemetrySamples(live.telemetry) : [],
    history: live?.history ?? null,
    usage,
  };
}

import { attemptsOf } from '../flow/attempt.ts';
import type { LivePlan } from '../flow/live-plan.ts';
import { agentIdOf } from '../agents/agent.ts';
import { ticketIdOf } from '../plans/plan.ts';
import { typeOf } from '../scheduling/outcome.ts';
import { burnOf } from './burn.ts';
import type { Forecaster } from './forecaster.ts';
import type { ExplainView } from './scheduling-views.ts';
import type { Swarm } from './swarm.ts';

const MOST_SLOWEST = 5;

/** When an open plan of this process ends, and what that is made of. */
export function explainPlan(swarm: Swarm, forecaster: Forecaster, plan: LivePlan, now: number): ExplainView {
  const { instance, state } = plan;
  const { deadline, forecast, finish, start, warning, record, criticalPath } = forecaster.outlook(plan, now);
  const at = ({ p5, p50, p90 }: typeof finish) => ({
    p5: Math.round(now + p5),
    p50: Math.round(now + p50),
    p90: Math.round(now + p90),
  });
  // Without agents there is no soonest end.
  const isReachable = Number.isFinite(forecast.finishMs) && Number.isFinite(forecast.soonestMs);
  const { aheadMs, ownMs, criticalPathMs, slots } = forecast.parts;
  const slowest = [...criticalPath].sort((a, b) => b.expectedMs - a.expectedMs).slice(0, MOST_SLOWEST);
  return {
    plan_id: plan.plan_id,
    instance,
    status: state.status,
    at: now,
    deadline,
    forecast: isReachable ? { start: start === null ? null : at(start), finish: at(finish) } : null,
    at_risk: warning?.level ?? null,
    parts: isReachable
      ? {
          ahead_ms: Math.round(aheadMs),
          own_ms: Math.round(ownMs),
          critical_path_ms: Math.round(criticalPathMs),
          slots: Math.round(slots * 100) / 100,
        }
      : null,
    error: record,
    mode: swarm.budget.modeOf(instance),
    burn: burnOf(swarm.budget, instance, now, null),
    slowest: slowest.map(({ n, expectedMs }) => {
      const [attempt] = attemptsOf(state.tickets[n]);
      return {
        ticket_id: ticketIdOf(plan.key, n),
        task_id: plan.specs[n].task_id,
        task_type: typeOf(plan.specs[n]),
        state: state.tickets[n].status,
        agent_id: attempt === undefined ? null : agentIdOf(attempt.agent),
        expected_ms: Math.round(expectedMs),
        elapsed_ms: attempt === undefined ? null : now - attempt.startedAt,
      };
    }),
  };
}

/** A plan that has ended. */
export function endedPlan(
  swarm: Swarm,
  { plan_id, instance, status }: { plan_id: string; instance: string; status: string },
  now: number,
): ExplainView {
  return {
    plan_id,
    instance,
    status,
    at: now,
    deadline: null,
    forecast: null,
    at_risk: null,
    parts: null,
    error: swarm.forecastError.record('finish', instance),
    mode: swarm.budget.modeOf(instance),
    burn: burnOf(swarm.budget, instance, now, null),
    slowest: [],
  };
}

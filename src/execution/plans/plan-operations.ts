import type { Colmeia, PlanDetail, PlanRef, PlanSummary, WorkflowView } from '../../colmeia.ts';
import type { CognitivePlan } from '../../platform/contracts/generated/records.ts';
import { parseRecord } from '../../platform/contracts/parse-record.ts';
import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { decodeCursor, isNumbers, pageLimit, pageOf } from '../../platform/page.ts';
import { filterOf, mustDirect, mustHave, scopeOf } from '../../trust/identity/may.ts';
import { actorOf, type Principal } from '../../trust/identity/principal.ts';
import type { Context } from '../context.ts';
import { tokenOf } from '../flow/attempt.ts';
import type { PlanAction } from '../flow/company-writer.ts';
import { endedPlan } from '../swarm/explain-plan.ts';
import { checkPlan } from './check-plan.ts';
import { findPlan } from './find-plan.ts';
import { generateTickets } from './generate-tickets.ts';
import { completeTicket } from '../agents/complete-ticket.ts';
import { parseTicketId, planIdOf, workflowIdOf } from './plan.ts';
import { countStates, findTaskNumber, findTicket, listPlans, type KeptPlan } from './plan-store.ts';
import { controlOf, planNeedsGate } from './prepare-decision.ts';
import { findPlanByCorrelation } from './plan-store.ts';
import { ticketsOf } from './ticket-operations.ts';

export const PLAN_STATUSES = [
  'waiting_approval',
  'running',
  'compensating',
  'consolidating',
  'completed',
  'failed',
  'compensated',
  'cancelled',
  'rejected',
];
const START_PREFIX = 'orchestration-flow-c-';

export function planOperations(context: Context): Colmeia['plans'] {
  const { store } = context;

  const act = async (who: Principal, ref: PlanRef, action: PlanAction, reason?: string) => {
    mustHave(who, action.type === 'approved' || action.type === 'declined' ? 'approve' : 'run');
    const plan = await findPlan(context, who, ref);
    const by = { by: actorOf(who), ...(reason === undefined ? {} : { why: reason }) };
    const status = await context.writers.at(plan.instance, (writer) =>
      writer.act({ instance: plan.instance, key: plan.key, action, who: by }),
    );
    return { plan_id: plan.plan_id, status };
  };

  /** null = the whole plan. */
  const numberOf = async (who: Principal, ref: PlanRef, taskId: string | undefined): Promise<number | null> => {
    if (taskId === undefined) return null;
    const plan = await findPlan(context, who, ref);
    const n = taskId.includes('\u0000') ? null : await findTaskNumber(store, scopeOf(who), plan.key, taskId);
    if (n === null)
      throw new ColmeiaError('INVALID_REQUEST', `plan "${ref.planId}" has no task "${taskId}"`, {
        faults: [{ path: 'task_id', message: 'is no task of this plan' }],
      });
    return n;
  };

  const findWorkflow = async (who: Principal, workflowId: string, instance?: string): Promise<KeptPlan> => {
    mustDirect(who);
    const notFound = (): ColmeiaError => new ColmeiaError('WORKFLOW_NOT_FOUND', `workflow "${workflowId}" not found`);
    const planId = planIdOf(workflowId);
    if (planId === null) throw notFound();
    try {
      return await findPlan(context, who, { planId, instance });
    } catch (error) {
      if (!(error instanceof ColmeiaError) || error.code !== 'PLAN_NOT_FOUND') throw error;
      const correlation = workflowId.startsWith(START_PREFIX) ? workflowId.slice(START_PREFIX.length) : null;
      const started =
        correlation === null
          ? null
          : await findPlanByCorrelation(store, scopeOf(who), correlation, filterOf(who, instance));
      if (started === null) throw notFound();
      return started;
    }
  };

  return {
    async get(who, ref) {
      mustHave(who, 'read');
      const plan = await findPlan(context, who, ref);
      return detailOf(context, who, plan);
    },
    async explain(who, ref) {
      mustHave(who, 'read');
      const { plan_id, instance, key, status } = await findPlan(context, who, ref);
      const live = await context.writers.at(instance, (writer) => writer.explain({ instance, key }));
      return live ?? endedPlan(context.swarm, { plan_id, instance, status }, context.clock.now());
    },
    async list(who, query) {
      mustHave(who, 'read');
      mustDirect(who);
      const limit = pageLimit(query.limit);
      if (query.status !== undefined && !PLAN_STATUSES.includes(query.status)) {
        const message = `must be one of ${PLAN_STATUSES.join(', ')}`;
        throw new ColmeiaError('INVALID_REQUEST', `status ${message}`, { faults: [{ path: 'status', message }] });
      }
      const after = decodeCursor(query.after, isNumbers(2));
      const rows = await listPlans(store, scopeOf(who), {
        instance: filterOf(who, query.instance),
        status: query.status ?? null,
        limit: limit + 1,
        after: after && { at: after[0], key: after[1] },
      });
      return pageOf(rows, limit, (plan) => [plan.created_at, plan.key], summaryOf);
    },
    async workflow(who, workflowId, instance) {
      mustHave(who, 'read');
      return workflowOf(workflowId, await findWorkflow(who, workflowId, instance));
    },
    async query(who, workflowId, request, instance) {
      mustHave(who, 'read');
      const plan = await findWorkflow(who, workflowId, instance);
      const { query_name } = request;
      if (query_name === 'get_status')
        return { workflow_id: workflowId, query_name, result: await detailOf(context, who, plan) };
      if (query_name === 'get_tickets') {
        const offset = Number(request.args?.[0] ?? 0);
        return {
          workflow_id: workflowId,
          query_name,
          result: await ticketsOf(context, who, plan, {
            offset: Number.isSafeInteger(offset) ? Math.max(0, offset) : 0,
            limit: 100,
          }),
        };
      }
      const message = 'must be get_status or get_tickets';
      throw new ColmeiaError('INVALID_REQUEST', `query_name ${message}`, { faults: [{ path: 'query_name', message }] });
    },
    async signal(who, workflowId, { signal_name, args = [] }, instance) {
      mustHave(who, 'run');
      const plan = await findWorkflow(who, workflowId, instance);
      const ref = { planId: plan.plan_id, instance: plan.instance };
      if (signal_name === 'cancel_workflow') {
        const { status } = await act(who, ref, { type: 'cancelled', undo: false, why: 'signal cancel_workflow' });
        return { workflow_id: workflowId, signal_name, status };
      }
      if (signal_name !== 'ticket_completed') {
        const message = 'must be cancel_workflow or ticket_completed';
        throw new ColmeiaError('INVALID_REQUEST', `signal_name ${message}`, {
          faults: [{ path: 'signal_name', message }],
        });
      }
      const place = parseTicketId(String(args[0]));
      const found = place?.key === plan.key ? await findTicket(store, scopeOf(who), place.key, place.n) : null;
      if (found === null) throw new ColmeiaError('TICKET_NOT_FOUND', `ticket "${String(args[0])}" not found`);
      await completeTicket(
        context,
        who,
        { instance: plan.instance, key: plan.key, n: found.ticket.n, fence: tokenOf(found.ticket) },
        outputOf(args[1]),
      );
      return { workflow_id: workflowId, signal_name, status: plan.status };
    },
    cancel: (who, ref, { reason, compensate }) =>
      act(who, ref, { type: 'cancelled', undo: compensate ?? false, why: reason ?? '' }, reason),
    pause: (who, ref, { reason }) => act(who, ref, { type: 'paused' }, reason),
    resume: (who, ref, { reason }) => act(who, ref, { type: 'resumed' }, reason),
    retry: (who, ref, { reason }) => act(who, ref, { type: 'retried' }, reason),
    async approve(who, ref, { reason, task_id }) {
      mustHave(who, 'approve');
      return act(who, ref, { type: 'approved', n: await numberOf(who, ref, task_id) }, reason);
    },
    async reject(who, ref, { reason, task_id }) {
      mustHave(who, 'approve');
      if (typeof reason !== 'string' || reason.trim() === '') {
        throw new ColmeiaError('INVALID_REQUEST', 'reason is required', {
          faults: [{ path: 'reason', message: 'is required' }],
        });
      }
      return act(who, ref, { type: 'declined', n: await numberOf(who, ref, task_id), why: reason }, reason);
    },
    async replan(who, ref, { cognitive_plan, reason }) {
      mustHave(who, 'run');
      const kept = await findPlan(context, who, ref);
      const { plan, warnings } = parsePlan(cognitive_plan, kept.plan_id, context.clock.now());
      const revision = kept.revision + 1;
      const { tasks: _tasks, ...header } = plan;
      const status = await context.writers.at(kept.instance, (writer) =>
        writer.replan({
          instance: kept.instance,
          key: kept.key,
          tickets: generateTickets(plan, context.clock.now(), context.policy.tickets),
          gate: planNeedsGate(plan),
          control: controlOf(plan, null, context.policy),
          content: {
            digest: '',
            decision: JSON.stringify({ decision_id: kept.decision_id }),
            header: JSON.stringify({ ...header, revision }),
          },
          who: { by: actorOf(who), ...(reason === undefined ? {} : { why: reason }) },
        }),
      );
      return { plan_id: kept.plan_id, status, revision, warnings };
    },
  };
}

function parsePlan(value: unknown, planId: string, now: number): { plan: CognitivePlan; warnings: string[] } {
  const parsed = parseRecord('CognitivePlan', value);
  const faults: Fault[] = parsed.ok ? checkPlan(parsed.record, now) : parsed.faults;
  if (parsed.ok && parsed.record.plan_id !== planId)
    faults.push({ path: 'plan_id', message: `is "${parsed.record.plan_id}", the plan is "${planId}"` });
  if (!parsed.ok || faults.length > 0) {
    const named = faults.map((fault) => ({ path: `cognitive_plan.${fault.path}`, message: fault.message }));
    throw new ColmeiaError('INVALID_DECISION', `the plan is invalid: ${named[0].path}: ${named[0].message}`, {
      faults: named,
    });
  }
  return { plan: parsed.record, warnings: parsed.warnings };
}

/** The result of a signal: `{ output }` or the output itself. */
function outputOf(result: unknown): Record<string, unknown> {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return {};
  const { output } = result as { output?: unknown };
  return (typeof output === 'object' && output !== null && !Array.isArray(output) ? output : result) as Record<
    string,
    unknown
  >;
}

function summaryOf(plan: KeptPlan): PlanSummary {
  const { key: _key, span_id: _span, control, result: _result, ...kept } = plan;
  return { ...kept, workflow_id: workflowIdOf(plan.plan_id), paused: control.paused ?? false };
}

async function detailOf({ store }: Context, who: Principal, plan: KeptPlan): Promise<PlanDetail> {
  const { progress, waiting } = await countStates(store, scopeOf(who), plan.key);
  return {
    ...summaryOf(plan),
    progress,
    waits_for_approval: plan.status === 'waiting_approval' ? ['*'] : waiting,
    result: plan.result,
  };
}

const WORKFLOW_STATUS: Record<string, WorkflowView['status']> = {
  completed: 'COMPLETED',
  failed: 'FAILED',
  compensated: 'FAILED',
  rejected: 'FAILED',
  cancelled: 'CANCELED',
};

function workflowOf(workflowId: string, plan: KeptPlan): WorkflowView {
  return {
    workflow_id: workflowId,
    status: WORKFLOW_STATUS[plan.status] ?? 'RUNNING',
    cached: false,
    start_time: plan.created_at,
    close_time: plan.ended_at,
    execution_time: plan.ended_at === null ? null : plan.ended_at - plan.created_at,
    workflow_type: 'OrchestrationWorkflow',
    task_queue: 'orchestration-tasks',
  };
}

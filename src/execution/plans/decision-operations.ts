import type { Colmeia, Submission } from '../../colmeia.ts';
import { digestOf } from '../../platform/contracts/canonical-json.ts';
import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { companyOf, mustDirect, mustHave, noInstance } from '../../trust/identity/may.ts';
import { actorOf, SYSTEM_INSTANCE, type Principal } from '../../trust/identity/principal.ts';
import type { Context } from '../context.ts';
import { workflowIdOf } from './plan.ts';
import { decisionOfStart, invalidDecision, prepareDecision } from './prepare-decision.ts';

const BATCH_LIMIT = 1_000;

/** Decisions in: C1 and C2 here, made durable by the company's writer. */
export function decisionOperations(context: Context): Colmeia['decisions'] {
  const { clock, policy, metrics, settings, instances, writers } = context;

  /** `digest`: what tells whether it is the same as one before, when the decision is made here and not by the caller. */
  const submit = async (who: Principal, value: unknown, digest?: string): Promise<Submission> => {
    mustHave(who, 'run');
    mustDirect(who);
    const generated = metrics.ticketGenerationSeconds.startTimer();
    const prepared = prepareDecision(value, actorOf(who), clock.now(), policy, (asked) =>
      companyOf(who, asked, settings.defaultInstance),
    );
    generated();
    const { submission, warnings, code } = prepared;
    if (digest !== undefined) submission.content = { ...submission.content, digest };
    const company = submission.instance === SYSTEM_INSTANCE ? null : await instances.byName(submission.instance);
    if (company === null) throw noInstance(submission.instance);
    const submitted = await writers.at(company.name, (writer) => writer.submit(submission));
    if (submission.kind === 'invalid') throw invalidDecision(code ?? 'INVALID_DECISION', submission.faults);
    return {
      plan_id: submitted.planId,
      workflow_id: workflowIdOf(submitted.planId),
      status: submitted.status,
      instance: company.name,
      duplicate: submitted.duplicate,
      warnings,
    };
  };

  /** Everything is in the same commits; each decision is answered on its own. */
  const submitAll = async (who: Principal, decisions: readonly unknown[]): Promise<Submission[]> => {
    mustHave(who, 'run');
    mustDirect(who);
    if (decisions.length > BATCH_LIMIT)
      throw new ColmeiaError('TOO_LARGE', `${decisions.length} decisions at once; at most ${BATCH_LIMIT} are allowed`);
    return Promise.all(
      decisions.map((decision) => submit(who, decision).catch((error: unknown) => refusedSubmission(decision, error))),
    );
  };

  return {
    submit: (who, decision) => submit(who, decision),
    submitAll,
    async start(who, request) {
      mustHave(who, 'run');
      mustDirect(who);
      const { plan, correlationId } = parseStart(request, clock.now());
      const submitted = await submit(who, decisionOfStart(plan, correlationId, clock.now()), digestOf(request));
      return {
        workflow_id: submitted.workflow_id,
        status: 'started',
        correlation_id: correlationId,
        warnings: submitted.warnings,
      };
    },
  };
}

function refusedSubmission(decision: unknown, error: unknown): Submission {
  if (!(error instanceof ColmeiaError)) throw error;
  const planId = (decision as { plan_id?: unknown } | null)?.plan_id;
  const plan_id = typeof planId === 'string' ? planId : '';
  const { code, message, faults } = error;
  return {
    plan_id,
    workflow_id: workflowIdOf(plan_id),
    status: 'rejected',
    instance: '',
    duplicate: false,
    warnings: [],
    error: { code, detail: message, faults },
  };
}

function parseStart(request: unknown, now: number): { plan: Record<string, unknown>; correlationId: string } {
  const given = (typeof request === 'object' && request !== null ? request : {}) as Record<string, unknown>;
  const faults: Fault[] = [];
  const { cognitive_plan: plan, correlation_id: correlation, priority = 5, sla_deadline_seconds: sla = 14_400 } = given;
  if (typeof plan !== 'object' || plan === null || Array.isArray(plan))
    faults.push({ path: 'cognitive_plan', message: 'must be a CognitivePlan' });
  if (correlation !== undefined && (typeof correlation !== 'string' || correlation === ''))
    faults.push({ path: 'correlation_id', message: 'must be a text' });
  if (!Number.isInteger(priority) || (priority as number) < 1 || (priority as number) > 10)
    faults.push({ path: 'priority', message: 'must be a whole number from 1 to 10' });
  if (typeof sla !== 'number' || !(sla > 0) || sla > 31_536_000)
    faults.push({ path: 'sla_deadline_seconds', message: 'must be a number of seconds from 1 to 31536000' });
  if (faults.length > 0)
    throw new ColmeiaError('INVALID_REQUEST', `the request is invalid: ${faults[0].path} ${faults[0].message}`, {
      faults,
    });
  const given_plan = plan as Record<string, unknown>;
  const validUntil = given_plan.valid_until ?? now + (sla as number) * 1_000;
  const ranked =
    given_plan.original_priority ??
    ((priority as number) >= 9
      ? 'CRITICAL'
      : (priority as number) >= 7
        ? 'HIGH'
        : (priority as number) >= 4
          ? 'NORMAL'
          : 'LOW');
  return {
    plan: { ...given_plan, valid_until: validUntil, original_priority: ranked },
    correlationId: (correlation ?? idOf(given_plan)) as string,
  };
}

/** A plan started without a correlation id is correlated by its own, or by its plan id: the same request is the same plan. */
function idOf({ correlation_id, plan_id }: Record<string, unknown>): string {
  return String(correlation_id ?? plan_id ?? '');
}

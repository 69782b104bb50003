import { ColmeiaError } from '../../platform/errors.ts';
import type { JournalHead } from '../../trust/audit/journal.ts';
import { planKey } from '../plans/plan.ts';
import type { Admission } from './admission.ts';
import { beingDeleted, type CompanyStanding } from './company-standing.ts';
import type { FlowBatch } from './flow-batch.ts';
import { FLOW_VERSION, type FlowEvent } from './flow-state.ts';
import type { KnownPlan } from './flow-store.ts';
import type { LivePlan } from './live-plan.ts';
import type { OpenTickets } from './open-tickets.ts';
import { restorePlan } from './restore.ts';
import type { Submission, Submitted } from './submission.ts';

/** Plan ids remembered per company, so that a decision sent again is answered without a query. */
const REMEMBERED = 5_000;

/** A company as its writer has it in memory. */
export type OwnedCompany = {
  name: string;
  no: number;
  standing: CompanyStanding;
  /** Of the last batch that was sent; the next one follows it. */
  head: JournalHead;
  /** Open plans. */
  plans: Set<LivePlan>;
  open: OpenTickets;
  /** Plans that are or were here, by id; the newest last. */
  known: Map<string, KnownPlan>;
};

export const notOwner = (instance: string): ColmeiaError =>
  new ColmeiaError('NOT_OWNER', `company "${instance}" is not at home here just now`, { retryAfterMs: 200 });

export function remember({ known }: OwnedCompany, planId: string, plan: KnownPlan): void {
  known.delete(planId);
  known.set(planId, plan);
  if (known.size > REMEMBERED) known.delete(known.keys().next().value!);
}

/** Known from here on, so that the same decision in the same batch finds it; forgotten when the flush is refused. */
function rememberInBatch(batch: FlowBatch, company: OwnedCompany, planId: string, plan: KnownPlan): void {
  const before = company.known.get(planId);
  remember(company, planId, plan);
  batch.undo.push(() => (before === undefined ? company.known.delete(planId) : company.known.set(planId, before)));
}

/**
 * C1 and C2 take effect: the plan begins, is rejected, or is the one that was here before. Throws PLAN_CONFLICT,
 * INSTANCE_STATE, and what `admission` says of a plan that begins.
 */
export function applySubmission(
  batch: FlowBatch,
  company: OwnedCompany,
  submission: Submission,
  admission: Pick<Admission, 'mustBegin'>,
): Submitted {
  const { planId, content } = submission;
  if (company.standing === 'deleting') throw beingDeleted(company.name);
  batch.submits.push({ instance: company.name, planId });
  const known = company.known.get(planId) ?? null;
  if (known !== null && known.digest === content.digest) {
    return { planId, status: batch.statusOf(known.key) ?? known.status, duplicate: true, faults: known.faults };
  }
  if (submission.kind === 'invalid' && known !== null) {
    batch.log(
      company.name,
      { type: 'decision.rejected', by: submission.by, plan: planId, data: { faults: submission.faults } },
      known.key,
    );
    return { planId, status: 'rejected', duplicate: false, faults: submission.faults };
  }
  if (known !== null && !known.invalid) {
    throw new ColmeiaError(
      'PLAN_CONFLICT',
      `plan "${planId}" exists with a different decision; give the new one an id of its own, or replan`,
    );
  }
  if (submission.kind !== 'run') return reject(batch, company, submission);
  admission.mustBegin(batch, company.name, submission.tickets.rules.length, company.open);
  return begin(batch, company, submission, known);
}

function begin(
  batch: FlowBatch,
  company: OwnedCompany,
  submission: Extract<Submission, { kind: 'run' }>,
  replaced: KnownPlan | null,
): Submitted {
  const { planId, tickets, gate, control, content, by } = submission;
  const key = replaced?.key ?? planKey(company.no, batch.give(company.name, company.head));
  const nothing = { flow: FLOW_VERSION, status: 'rejected' as const, control, rules: [], tickets: [] };
  const plan: LivePlan = {
    key,
    instance: company.name,
    plan_id: planId,
    ...submission.correlation,
    created_at: batch.at,
    digest: content.digest,
    rev: replaced?.rev ?? 1,
    state: restorePlan(nothing),
    specs: tickets.specs,
  };
  const event: FlowEvent = {
    type: 'submitted',
    at: batch.at,
    rules: tickets.rules,
    deadlines: tickets.deadlines,
    gate,
    control,
  };
  batch.begin(plan, content, event, { by }, replaced === null ? null : plan.state);
  const { status } = batch.stateOf(plan);
  rememberInBatch(batch, company, planId, {
    key,
    digest: content.digest,
    status,
    invalid: false,
    rev: plan.rev,
    faults: [],
  });
  return { planId, status, duplicate: false, faults: [] };
}

function reject(
  batch: FlowBatch,
  company: OwnedCompany,
  submission: Extract<Submission, { kind: 'invalid' | 'refused' }>,
): Submitted {
  const { planId, content, by } = submission;
  const key = planKey(company.no, batch.give(company.name, company.head));
  const isInvalid = submission.kind === 'invalid';
  const faults = isInvalid ? submission.faults : [];
  const data = isInvalid ? { faults } : { why: submission.why };
  batch.columns.rejectedPlan({
    key,
    instance: company.name,
    id: planId,
    flow: FLOW_VERSION,
    ...content,
    at: batch.at,
    result: data,
  });
  batch.log(company.name, { type: isInvalid ? 'decision.rejected' : 'plan.rejected', by, plan: planId, data }, key);
  rememberInBatch(batch, company, planId, {
    key,
    digest: content.digest,
    status: 'rejected',
    invalid: isInvalid,
    rev: 1,
    faults,
  });
  return { planId, status: 'rejected', duplicate: false, faults };
}

import type { Consolidation, PlanState } from './flow-state.ts';

/**
 * C5: what the plan came to, and whether it adds up. Pure; the checks read only the state, so that a fault of an
 * interpreter (a ticket that ran before its dependency, an end without a start) is found at the end of every plan.
 */
export function consolidate(state: PlanState, createdAt: number, at: number): Consolidation {
  const tickets = { total: 0, completed: 0, failed: 0, cancelled: 0, compensated: 0 };
  const inconsistencies: string[] = [];
  let work = 0;
  let retries = 0;
  let violations = 0;
  state.tickets.forEach((ticket, n) => {
    tickets.total++;
    retries += Math.max(0, ticket.attempt - 1);
    if (ticket.note?.late) violations++;
    if (ticket.status in tickets) tickets[ticket.status as 'completed']++;
    else inconsistencies.push(`ticket ${n} is ${ticket.status} at the end of the plan`);
    if (ticket.status !== 'completed') return;
    if (ticket.startedAt === null || ticket.endedAt === null)
      inconsistencies.push(`ticket ${n} completed without a start or an end`);
    else if (ticket.endedAt < ticket.startedAt) inconsistencies.push(`ticket ${n} ended before it started`);
    else work += ticket.endedAt - ticket.startedAt;
    for (const dep of state.rules[n].deps) {
      const before = state.tickets[dep];
      if (before.note?.redone) continue;
      const done = before.status === 'completed' || before.status === 'compensated' || before.note?.superseded;
      if (!done) inconsistencies.push(`ticket ${n} completed, its dependency ${dep} is ${before.status}`);
      else if (before.endedAt !== null && ticket.startedAt !== null && before.endedAt > ticket.startedAt) {
        inconsistencies.push(`ticket ${n} started before its dependency ${dep} ended`);
      }
    }
    if (ticket.note?.undoFailed) inconsistencies.push(`ticket ${n} could not be compensated`);
  });
  return {
    success: state.control.stopping === null && inconsistencies.length === 0,
    duration_ms: at - createdAt,
    work_ms: work,
    tickets,
    retries,
    sla: { compliant: violations === 0, violations },
    inconsistencies: inconsistencies.slice(0, 100),
  };
}

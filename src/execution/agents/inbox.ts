import type { InboxItem } from '../../colmeia.ts';
import { attemptOf } from '../flow/attempt.ts';
import type { FlowEngine } from '../flow/flow-engine.ts';
import { isOpen, type TicketRules } from '../flow/flow-state.ts';
import type { LivePlan } from '../flow/live-plan.ts';
import { ticketIdOf } from '../plans/plan.ts';
import { agentIdOf, type Lease } from './agent.ts';
import type { AgentRegistry } from './agent-registry.ts';

/** Plain data, as it also goes to other replicas. */
export type InboxSearch = {
  /** null = of all companies. */
  instance: string | null;
  /** Only tickets of the person with this id; null = of all. */
  agentId: string | null;
  /** Only tickets of people registered by this company, or by the fleet ('$system'); null = of all. */
  home: string | null;
  /** Only this ticket; null = all. */
  ticketId: string | null;
  approvals: boolean;
  /** Where the page before ended; null = from the start. */
  after: InboxPlace | null;
  limit: number;
};
export type InboxPlace = [dueAt: number, id: string];

/** Where an item stands: by what it is due, then by its id. */
export const placeOf = ({ due_at, ticket_id, instance, plan_id }: InboxItem): InboxPlace => [
  due_at,
  ticket_id ?? `${instance}/${plan_id}`,
];

export const inOrder = (a: InboxItem, b: InboxItem): number => {
  const [x, y] = [placeOf(a), placeOf(b)];
  return x[0] - y[0] || Number(x[1] > y[1]) - Number(x[1] < y[1]);
};

/**
 * What waits for people in the companies that are at home here, soonest due first. From memory, on demand: the leases of
 * people, and of the open plans only those tickets that are destructive.
 */
export function searchInbox(engine: FlowEngine, registry: AgentRegistry, search: InboxSearch): InboxItem[] {
  const items: InboxItem[] = [];
  const { instance, agentId, home, ticketId, after, limit } = search;
  for (const person of registry.people()) {
    if (agentId !== null && person.spec.agent_id !== agentId) continue;
    if (home !== null && !person.key.startsWith(`${home}/`)) continue;
    for (const lease of person.leases) {
      const plan = engine.plan(lease.plan);
      if (plan !== null && (instance === null || plan.instance === instance)) items.push(...ticketOf(plan, lease));
    }
  }
  if (search.approvals) {
    for (const plan of engine.allOpenPlans())
      if (instance === null || plan.instance === instance) items.push(...approvalsOf(plan));
  }
  return items
    .filter((item) => ticketId === null || item.ticket_id === ticketId)
    .filter((item) => after === null || isAfter(placeOf(item), after))
    .sort(inOrder)
    .slice(0, limit);
}

const isAfter = (place: InboxPlace, after: InboxPlace): boolean =>
  place[0] !== after[0] ? place[0] > after[0] : place[1] > after[1];

function ticketOf(plan: LivePlan, { leaseId, n, fence, agent, expiresAt }: Lease): InboxItem[] {
  const attempt = attemptOf(plan.state.tickets[n], fence);
  if (attempt === null) return [];
  return [
    {
      ...aboutTicket('ticket', plan, n),
      since: attempt.startedAt,
      agent_id: agentIdOf(agent),
      lease_id: leaseId,
      fencing_token: fence,
      expires_at: expiresAt,
    },
  ];
}

function approvalsOf(plan: LivePlan): InboxItem[] {
  const { state } = plan;
  if (state.status === 'waiting_approval') return [wholePlan(plan)];
  if (state.status !== 'running') return [];
  return gatedOf(state.rules)
    .filter((n) => state.tickets[n].status === 'approval')
    .map((n) => {
      const ends = state.rules[n].deps.map((dep) => state.tickets[dep].endedAt ?? 0);
      return { ...aboutTicket('task', plan, n), since: Math.max(plan.created_at, ...ends) };
    });
}

function wholePlan(plan: LivePlan): InboxItem {
  const { state, specs } = plan;
  const deadlines = state.tickets.filter(({ status }) => isOpen(status)).map(({ deadline }) => deadline);
  const first = deadlines.reduce((least, deadline) => Math.min(least, deadline), Infinity);
  const due = state.control.validUntil ?? (first === Infinity ? plan.created_at : first);
  return {
    ...NOBODYS,
    kind: 'plan',
    instance: plan.instance,
    plan_id: plan.plan_id,
    ticket_id: null,
    task_id: null,
    description: `${state.tickets.length} tasks: ${specs[0]?.description ?? ''}`,
    required_capabilities: [],
    due_at: due,
    since: plan.created_at,
  };
}

const NOBODYS = { agent_id: null, lease_id: null, fencing_token: null, expires_at: null };

function aboutTicket(kind: 'ticket' | 'task', plan: LivePlan, n: number): InboxItem {
  const { task_id, description, required_capabilities } = plan.specs[n];
  return {
    ...NOBODYS,
    kind,
    instance: plan.instance,
    plan_id: plan.plan_id,
    ticket_id: ticketIdOf(plan.key, n),
    task_id,
    description,
    required_capabilities,
    due_at: plan.state.tickets[n].deadline,
    since: null,
  };
}

/** Numbers of the destructive tickets, once for each revision of a plan. */
const gated = new WeakMap<readonly TicketRules[], number[]>();
function gatedOf(rules: readonly TicketRules[]): number[] {
  let found = gated.get(rules);
  if (found === undefined) {
    found = rules.flatMap((rule, n) => (rule.gated ? [n] : []));
    gated.set(rules, found);
  }
  return found;
}

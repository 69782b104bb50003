// For tests of this edge only: a Colmeia with canned answers, so that framing, statuses and limits are tested apart from the flow.
import type {
  AgentDetail,
  AgentView,
  Colmeia,
  InboxItem,
  InstanceDetail,
  OperationView,
  KeyView,
  PlanDetail,
  Submission,
  TicketView,
  UsageView,
  WorkflowView,
} from '../../colmeia.ts';
import { sampleTicket } from '../../execution/agents/attempt.testing.ts';
import { LOCAL_OPERATOR, type Principal } from '../../trust/identity/principal.ts';
import { EXPLANATION, SCHEDULING, WHY } from './scheduling.testing.ts';

export const OPERATOR_KEY = 'operator-key';
export const OPERATOR: Principal = { ...LOCAL_OPERATOR, keyId: 'k1' };
export const AUTHORIZED = { authorization: `Bearer ${OPERATOR_KEY}` };

const at = 1_780_000_000_000;
const iso = new Date(at).toISOString();

export const TICKET = sampleTicket({
  ticket_id: 't1',
  plan_id: 'p1',
  intent_id: 'i1',
  decision_id: 'd1',
  correlation_id: 'c1',
  task_id: 'build',
  task_type: 'BUILD',
  description: 'Build',
  sla: { deadline: at + 60_000, timeout_ms: 60_000, max_retries: 1 },
  parameters: { repository: 'billing' },
  required_capabilities: ['node'],
  created_at: at,
  metadata: { instance: 'default' },
});

const submission: Submission = {
  plan_id: 'p1',
  workflow_id: 'orchestration-p1',
  status: 'running',
  instance: 'default',
  duplicate: false,
  warnings: [],
};
const plan: PlanDetail = {
  plan_id: 'p1',
  workflow_id: 'orchestration-p1',
  instance: 'default',
  intent_id: 'i1',
  decision_id: 'd1',
  correlation_id: null,
  trace_id: null,
  status: 'running',
  paused: false,
  risk_band: 'low',
  revision: 1,
  tickets: 1,
  created_at: at,
  ended_at: null,
  progress: { ready: 1 },
  waits_for_approval: [],
  result: null,
};
const ticket: TicketView = {
  ...TICKET,
  cached: false,
  instance: 'default',
  priority_score: 0.4,
  state: 'running',
  agent_id: 'a1',
  attempt: 1,
  fencing_token: 7,
  next_attempt_at: null,
  progress: null,
  result: null,
};
const workflow: WorkflowView = {
  workflow_id: 'orchestration-p1',
  status: 'RUNNING',
  cached: false,
  start_time: at,
  close_time: null,
  execution_time: null,
  workflow_type: 'OrchestrationWorkflow',
  task_queue: 'orchestration-tasks',
};
const instance: InstanceDetail = {
  name: 'default',
  tier: 'bronze',
  strategy: 'hybrid',
  template: 'default',
  state: 'active',
  initialized: false,
  health: 'unknown',
  budget_usd: null,
  created_at: iso,
  statistics: {
    plans_received: 1,
    plans_open: 1,
    plans_completed: 0,
    plans_failed: 0,
    plans_cancelled: 0,
    tickets_completed: 0,
    tickets_failed: 0,
    cost_usd: 0,
    month_cost_usd: 0,
    last_event_at: iso,
  },
  folder: null,
  validated_at: null,
  faults: [],
  owners: [],
  resources: [],
  operation: null,
};
const companyOperation: OperationView = {
  id: 'o1',
  instance: 'default',
  kind: 'init',
  state: 'running',
  steps: [],
  result: null,
  error: null,
  by: 'operator:local',
  rev: 1,
  started_at: iso,
  ended_at: null,
};
const key: KeyView = {
  key_id: 'k1',
  kind: 'operator',
  instance: null,
  agent_id: null,
  scopes: ['read', 'run', 'approve', 'administer'],
  subject: null,
  replaces: null,
  created_at: iso,
  expires_at: null,
  revoked_at: null,
  last_used_at: null,
};
const secret = { name: 's1', version: 1, created_by: 'operator:k1', created_at: iso };
const planState = { plan_id: 'p1', status: 'running' };
const ticketState = { ticket_id: 't1', status: 'COMPLETED' };
const agentState = { agent_id: 'a1', state: 'active' };
const agent: AgentView = {
  agent_id: 'a1',
  kind: 'service',
  task_types: ['BUILD'],
  capabilities: [],
  concurrency: 1,
  labels: {},
  region: null,
  version: null,
  instance: null,
  state: 'active',
  life: 'alive',
  held_until: null,
  last_seen_at: at,
  running: 0,
  telemetry: { at, values: { cpu: 0.5 } },
};
const usage: UsageView = { results: 1, input_tokens: 10, output_tokens: 5, cost_usd: 0.01, since: at };
const agentDetail: AgentDetail = {
  ...agent,
  registered_at: at,
  versions: [{ version: null, at }],
  telemetry_history: [{ at, queue: null, cpu: 0.5, memory: null, errors: null }],
  history: { since: at, completed: 1, failed: 0, recent: [] },
  usage,
};
const inboxItem: InboxItem = {
  kind: 'ticket',
  instance: 'default',
  plan_id: 'p1',
  ticket_id: 't1',
  task_id: 'a',
  description: 'Do a',
  required_capabilities: ['human'],
  due_at: at,
  since: at,
  agent_id: 'a1',
  lease_id: 'l1',
  fencing_token: 7,
  expires_at: at,
};
const page = <T>(...items: T[]): { items: T[]; next: string | null } => ({ items, next: null });

/** Some of its parts may be replaced: `colmeiaDouble({ plans: { get: async () => { throw … } } })`. */
export function colmeiaDouble(
  replaced: { [Part in keyof Colmeia]?: Colmeia[Part] extends Function ? Colmeia[Part] : Partial<Colmeia[Part]> } = {},
): Colmeia {
  const canned: Colmeia = {
    decisions: {
      submit: async () => submission,
      submitAll: async (_who, decisions) => decisions.map(() => submission),
      start: async () => ({
        workflow_id: 'orchestration-flow-c-c1',
        status: 'started',
        correlation_id: 'c1',
        warnings: [],
      }),
    },
    plans: {
      get: async () => plan,
      list: async () => page(plan),
      workflow: async () => workflow,
      query: async (_who, workflowId, { query_name }) => ({ workflow_id: workflowId, query_name, result: {} }),
      signal: async (_who, workflowId, { signal_name }) => ({
        workflow_id: workflowId,
        signal_name,
        status: 'cancelled',
      }),
      cancel: async () => planState,
      pause: async () => planState,
      resume: async () => planState,
      retry: async () => planState,
      approve: async () => planState,
      reject: async () => planState,
      replan: async () => ({ ...planState, revision: 2, warnings: [] }),
      explain: async () => EXPLANATION,
    },
    tickets: {
      get: async () => ticket,
      list: async () => page(ticket),
      byPlan: async () => ({ tickets: [ticket], total: 1, cached: false, limit: 50, offset: 0, has_more: false }),
      why: async () => WHY,
    },
    scheduling: SCHEDULING,
    agents: {
      register: async () => ({ agent_id: 'a1', heartbeat_interval_ms: 10_000, lease_duration_ms: 30_000 }),
      heartbeat: async () => agentState,
      drain: async () => agentState,
      cordon: async () => agentState,
      uncordon: async () => agentState,
      remove: async () => {},
      get: async () => agentDetail,
      list: async () => page(agent),
      usage: async () => page({ ...usage, instance: 'default', agent_id: null }),
      lease: async () => ({
        leases: [{ lease_id: 'l1', fencing_token: 7, attempt: 1, expires_at: at, ticket: TICKET }],
      }),
    },
    leases: {
      heartbeat: async () => ({ expires_at: at, cancel: false }),
      complete: async () => ticketState,
      fail: async () => ticketState,
      release: async () => ticketState,
      result: async () => ticketState,
    },
    inbox: {
      list: async () => page(inboxItem),
      claim: async () => ({ ticket_id: 't1', agent_id: 'a1', lease_id: 'l1', fencing_token: 7 }),
    },
    instances: {
      create: async () => instance,
      get: async () => instance,
      list: async () => page(instance),
      stats: async () => {
        const { name, statistics } = instance;
        const counted = { agents: 0, keys: 0, secrets: 0, components: 0, database: null, files: null };
        return { name, ...statistics, ...counted };
      },
      update: async () => instance,
      pause: async () => instance,
      resume: async () => instance,
      init: async () => companyOperation,
      seed: async () => ({ applied: [] }),
      clone: async () => companyOperation,
      planClone: async () => ({ kind: 'clone', instance: 'default', steps: [], obstacles: [] }),
      remove: async () => companyOperation,
      rename: async () => companyOperation,
      exportTo: async () => companyOperation,
      exports: {
        list: async () => ({ items: [], next: null }),
        path: async () => import.meta.filename,
        remove: async () => {},
      },
      importFrom: async () => companyOperation,
      validate: async () => ({ name: 'default', health: 'healthy', faults: [], checks: [], validated_at: iso }),
      context: async () => Promise.reject(new Error('no route has it')),
      operation: async () => companyOperation,
      operations: async () => page(companyOperation),
      resumeOperation: async () => companyOperation,
      undoOperation: async () => companyOperation,
      differences: async () => [],
      reconcile: async () => [],
      owners: { list: async () => [], add: async () => {}, remove: async () => {} },
    },
    keys: {
      create: async () => ({ ...key, key: 'colmeia_k1_secret' }),
      rotate: async () => ({ ...key, key: 'colmeia_k2_secret' }),
      revoke: async () => {},
      list: async () => page(key),
      authenticate: async (given) => (given === OPERATOR_KEY ? OPERATOR : null),
    },
    secrets: {
      list: async () => page(secret),
      get: async () => secret,
      set: async () => secret,
      remove: async () => {},
      rotate: async () => ({ secrets: 1 }),
      rotateMaster: async () => ({ master: '0123456789abcdef', keys: 1 }),
    },
    audit: {
      list: async () =>
        page({ type: 'plan.completed', by: 'engine', instance: 'default', seq: 1, n: 1, at: new Date(at) }),
      verify: async () => [{ instance: 'default', ok: true, rows: 1, events: 1, fault: null }],
    },
    events: { subscribe: async () => () => {}, telemetry: async () => page() },
    status: async () => ({
      total_processed: 1,
      success_rate: 100,
      average_latency_ms: 1,
      p95_latency_ms: 1,
      active_executions: 0,
      cached: false,
    }),
    health: () => ({ status: 'healthy', service: 'colmeia', version: '0.1.0', timestamp: at, checks: {} }),
    ready: () => ({ status: 'ready', mode: 'full', checks: {} }),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'orchestration_workflows_active 0\n' }),
    close: async () => {},
  };
  const parts = Object.entries(canned).map(([name, part]) => {
    const other = replaced[name as keyof Colmeia];
    return [name, typeof part === 'function' || other === undefined ? (other ?? part) : { ...part, ...other }];
  });
  return Object.fromEntries(parts) as Colmeia;
}

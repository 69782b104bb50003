import type { TicketSpec } from '../plans/ticket.ts';
import type { ReadyTicket } from './ready-ticket.ts';

type Sample = Partial<Omit<ReadyTicket, 'spec'>> & {
  type?: TicketSpec['task_type'];
  customType?: string;
  risk?: TicketSpec['risk_band'];
  needs?: string[];
  security?: TicketSpec['security_level'];
  priority?: TicketSpec['priority'];
  /** Expected duration, ms. */
  ms?: number;
  metadata?: Record<string, string>;
};

/** A ticket for tests of the scheduler: what is not said is plain. */
export function readyTicket({
  type = 'BUILD',
  customType,
  risk = 'medium',
  needs = [],
  security = 'INTERNAL',
  priority = 'NORMAL',
  ms,
  metadata = {},
  ...ticket
}: Sample): ReadyTicket {
  const spec: TicketSpec = {
    task_id: 't',
    task_type: type,
    description: '',
    priority,
    risk_band: risk,
    qos: { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' },
    parameters: {},
    required_capabilities: needs,
    security_level: security,
    estimated_duration_ms: ms ?? null,
    metadata: customType === undefined ? metadata : { ...metadata, task_type: customType },
    timeout_ms: 60_000,
    max_retries: 1,
    gated: false,
    compensation: null,
    undoes: null,
  };
  return {
    plan: 1,
    n: 0,
    instance: 'acme',
    createdAt: 0,
    deadline: 60_000,
    planDeadline: ticket.deadline ?? 60_000,
    readyAt: 0,
    rank: 0,
    near: [],
    ...ticket,
    spec,
  };
}

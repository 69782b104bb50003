import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';

/**
 * What never changes about a ticket: its task and the rules of C2. Kept as the `spec` column.
 * Names are those of the ExecutionTicket record, so that the record is this plus what the flow knows.
 */
export type TicketSpec = Pick<
  ExecutionTicket,
  | 'task_id'
  | 'task_type'
  | 'description'
  | 'priority'
  | 'risk_band'
  | 'qos'
  | 'parameters'
  | 'required_capabilities'
  | 'security_level'
  | 'estimated_duration_ms'
  | 'metadata'
> & {
  timeout_ms: number;
  max_retries: number;
  /** Destructive: waits for a person. */
  gated: boolean;
  /** What undoes it; null = nothing does. */
  compensation: string | null;
  /** Number of the ticket this one undoes; null = an ordinary ticket. */
  undoes: number | null;
};

/** The state of a ticket as the ExecutionTicket record has it. */
export function recordStatus(status: string): ExecutionTicket['status'] {
  switch (status) {
    case 'running':
      return 'RUNNING';
    case 'completed':
      return 'COMPLETED';
    case 'failed':
    case 'cancelled':
      return 'FAILED';
    case 'compensating':
      return 'COMPENSATING';
    case 'compensated':
      return 'COMPENSATED';
    default:
      return 'PENDING';
  }
}

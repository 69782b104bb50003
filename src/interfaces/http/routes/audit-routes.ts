import type { Colmeia } from '../../../colmeia.ts';
import { INSTANCE_QUERY, PAGE_QUERY, pageOf, shape, whole } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';

export function auditRoutes({ audit }: Colmeia): Operation[] {
  return [
    operation({
      id: 'listAuditEvents',
      tag: 'audit',
      method: 'GET',
      path: '/api/v1/audit/events',
      summary: 'Read the journal',
      query: {
        ...PAGE_QUERY,
        ...INSTANCE_QUERY,
        plan_id: { type: 'string' },
        actor: { type: 'string', description: 'How who did it begins, as `operator:` or `agent:builder-1`.' },
        type: { type: 'string', description: 'How the type begins, as `plan.` or `ticket.failed`.' },
        from: { ...whole, description: 'Epoch milliseconds.' },
        to: { ...whole, description: 'Epoch milliseconds.' },
      },
      answer: {
        status: 200,
        description: 'A page of events.',
        schema: pageOf('Event'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, query }) => audit.list(who, query),
    }),
    operation({
      id: 'verifyAudit',
      tag: 'audit',
      method: 'GET',
      path: '/api/v1/audit/verify',
      summary: 'Walk the hash chain of the journal',
      description: 'Of one company, or of all that the caller sees. It reads every row: not for a timer.',
      query: INSTANCE_QUERY,
      answer: {
        status: 200,
        description: 'One verdict for each company; `ok` says whether all chains hold.',
        schema: shape({ ok: { type: 'boolean' }, instances: { type: 'array', items: { $ref: 'ChainVerdict#' } } }),
        example: { ok: true, instances: [{ instance: 'default', ok: true, rows: 120, events: 480, fault: null }] },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: async ({ who, query }) => {
        const instances = await audit.verify(who, query);
        return { ok: instances.every(({ ok }) => ok), instances };
      },
    }),
  ];
}

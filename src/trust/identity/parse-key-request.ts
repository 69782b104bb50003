import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { SCOPES, type KeyScope, type Principal } from './principal.ts';
import { isSubject, SUBJECT_RULE } from './subject.ts';

export type KeyRequest = {
  kind: Principal['kind'];
  instance?: string;
  agent_id?: string;
  /** Default: all of them, of an agent `read` and `run`; never more than those of the maker. */
  scopes?: readonly string[];
  subject?: string;
  expires_at?: string;
};
/** `scopes` null = those of its kind. */
export type ParsedKeyRequest = { scopes: readonly KeyScope[] | null; subject: string | null; expiresAt: Date | null };

const KINDS = ['operator', 'company', 'agent'];

/** Throws INVALID_REQUEST with every fault. `now` in epoch ms. */
export function parseKeyRequest(request: { [Name in keyof KeyRequest]?: unknown }, now: number): ParsedKeyRequest {
  const faults: Fault[] = [...partFaults(request)];
  const { scopes = null, subject = null, expires_at = null } = request;
  if (scopes !== null) faults.push(...scopeFaults(scopes, request.kind === 'agent'));
  if (subject !== null && !isSubject(subject)) faults.push({ path: 'subject', message: SUBJECT_RULE });
  const expiresAt = expires_at === null ? null : new Date(String(expires_at));
  if (expiresAt !== null && !(expiresAt.getTime() > now))
    faults.push({ path: 'expires_at', message: 'must be a time to come, as 2027-01-31T12:00:00Z' });
  refuse(faults);
  return {
    scopes: scopes === null ? null : SCOPES.filter((scope) => (scopes as string[]).includes(scope)),
    subject: subject as string | null,
    expiresAt,
  };
}

const OVERLAP_DEFAULT_S = 3_600;
const OVERLAP_LIMIT_S = 30 * 86_400;

/** Seconds for which both keys count. */
export function parseOverlap(overlap: unknown = OVERLAP_DEFAULT_S): number {
  const isOverlap = Number.isInteger(overlap) && (overlap as number) >= 0 && (overlap as number) <= OVERLAP_LIMIT_S;
  if (!isOverlap)
    refuse([{ path: 'overlap_seconds', message: `must be a whole number from 0 to ${OVERLAP_LIMIT_S} (30 days)` }]);
  return overlap as number;
}

function partFaults(request: { [Name in keyof KeyRequest]?: unknown }): Fault[] {
  const faults: Fault[] = [];
  const { kind, instance, agent_id } = request;
  if (!KINDS.includes(kind as string)) faults.push({ path: 'kind', message: `must be one of ${KINDS.join(', ')}` });
  if (kind === 'operator' && instance !== undefined)
    faults.push({ path: 'instance', message: 'an operator’s key is for all companies' });
  if (kind === 'company' && instance === undefined)
    faults.push({ path: 'instance', message: 'is required for the key of a company' });
  if (kind !== 'agent' && agent_id !== undefined)
    faults.push({ path: 'agent_id', message: 'is only for the key of an agent' });
  for (const [path, value] of [
    ['instance', instance],
    ['agent_id', agent_id],
  ] as const) {
    const isName = typeof value === 'string' && value !== '' && value.length <= 128 && !value.includes('\u0000');
    if (value !== undefined && !isName) faults.push({ path, message: 'must be a text of 1 to 128 characters' });
  }
  return faults;
}

function scopeFaults(scopes: unknown, isAgent: boolean): Fault[] {
  const isList = Array.isArray(scopes) && scopes.length > 0 && scopes.every((one) => SCOPES.includes(one));
  if (!isList) return [{ path: 'scopes', message: `must be a list of one or more of ${SCOPES.join(', ')}` }];
  return isAgent && scopes.includes('administer')
    ? [{ path: 'scopes', message: 'the key of an agent cannot administer' }]
    : [];
}

function refuse(faults: Fault[]): void {
  if (faults.length > 0)
    throw new ColmeiaError('INVALID_REQUEST', `the request is invalid: ${faults[0].path} ${faults[0].message}`, {
      faults,
    });
}

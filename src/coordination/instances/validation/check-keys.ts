import type { KeptKey } from '../../../trust/identity/key-store.ts';
import { SCOPES } from '../../../trust/identity/principal.ts';
import type { CompanyFault } from '../instance-views.ts';
import { companyFault } from './validation-codes.ts';

const DAY_MS = 86_400_000;
const UNUSED_DAYS = 90;

/** What is wrong with the keys of a company as of `now`, epoch ms. Revoked ones do not count. */
export function checkKeys(keys: readonly KeptKey[], now: number): CompanyFault[] {
  const live = keys.filter((key) => key.revokedAt === null);
  const faults = live.flatMap((key) => keyFaults(key, now));
  const company = live.filter((key) => key.kind === 'company');
  const hasAdministrator = company.some((key) => key.scopes.includes('administer') && !isExpired(key, now));
  if (company.length > 0 && !hasAdministrator)
    faults.push(companyFault('KEY_WITHOUT_ADMINISTRATOR', 'keys', 'no valid key of the company may administer it'));
  return faults;
}

function keyFaults(key: KeptKey, now: number): CompanyFault[] {
  const place = `key ${key.keyId}`;
  if (isExpired(key, now)) return [companyFault('KEY_EXPIRED', place, `it expired on ${dayOf(key.expiresAt!)}`)];
  const faults: CompanyFault[] = [];
  const since = key.lastUsedAt ?? key.createdAt;
  if (now - since.getTime() > UNUSED_DAYS * DAY_MS)
    faults.push(companyFault('KEY_UNUSED', place, `it was not used since ${dayOf(since)}`));
  if (key.kind === 'company' && SCOPES.every((scope) => key.scopes.includes(scope)))
    faults.push(companyFault('KEY_ALL_SCOPES', place, 'it may do everything within the company'));
  return faults;
}

const isExpired = (key: KeptKey, now: number): boolean => key.expiresAt !== null && key.expiresAt.getTime() <= now;
const dayOf = (date: Date): string => date.toISOString().slice(0, 10);

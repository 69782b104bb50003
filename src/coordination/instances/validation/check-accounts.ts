import type { CompanyFault } from '../instance-views.ts';
import { clockFault } from './check-machine.ts';
import type { Check } from './run-checks.ts';
import { companyFault } from './validation-codes.ts';

const ACCOUNT_NAMES = ['supabase', 'jira', 'confluence'] as const;

/** What a site says about its credentials. `clockSkewMs`: how far its clock is ahead of ours, as its Date header has it. */
export type AccountCheck = { check(): Promise<{ ok: boolean; detail: string; clockSkewMs?: number }> };
/** A text says why one is off. */
export type CheckedAccounts = Record<(typeof ACCOUNT_NAMES)[number], AccountCheck | string>;

/**
 * The checks of the outside accounts, each apart: one site that hangs says nothing of another. Which there are is asked once,
 * with the first of them.
 */
export function accountChecks(accounts: () => Promise<CheckedAccounts>): Check[] {
  let asked: Promise<CheckedAccounts> | null = null;
  return ACCOUNT_NAMES.map((name) => ({
    name,
    async run() {
      const account = (await (asked ??= accounts()))[name];
      return typeof account === 'string' ? { off: account } : checkAccount(name, account);
    },
  }));
}

async function checkAccount(name: string, account: AccountCheck): Promise<CompanyFault[]> {
  const { ok, detail, clockSkewMs = 0 } = await account.check();
  if (!ok) return [companyFault('ACCOUNT_FAILED', name, detail)];
  const clock = clockFault(name, clockSkewMs);
  return clock === null ? [] : [clock];
}

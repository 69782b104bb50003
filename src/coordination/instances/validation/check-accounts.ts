import type { CompanyFault } from '../instance-views.ts';
import type { AccountCheck } from '../outside-accounts.ts';
import { clockFault } from './check-machine.ts';
import type { Check } from './run-checks.ts';
import { companyFault } from './validation-codes.ts';

type CheckedAccount = { check(): Promise<AccountCheck> };
const ACCOUNT_NAMES = ['supabase', 'jira', 'confluence'] as const;

/** A text says why one is off. */
export type CheckedAccounts = Record<(typeof ACCOUNT_NAMES)[number], CheckedAccount | string>;

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

async function checkAccount(name: string, account: CheckedAccount): Promise<CompanyFault[]> {
  const { ok, detail, clockSkewMs } = await account.check();
  if (!ok) return [companyFault('ACCOUNT_FAILED', name, detail)];
  const clock = clockFault(name, clockSkewMs);
  return clock === null ? [] : [clock];
}

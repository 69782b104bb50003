import type { Clock } from '../../../platform/clock.ts';
import type { KeptKey } from '../../../trust/identity/key-store.ts';
import type { DatabaseInspection } from '../databases/inspect.ts';
import type { InstanceContext, InstanceContexts, RegisteredCompany } from '../folder/instance-contexts.ts';
import type { CompanyFault, ValidationReport } from '../instance-views.ts';
import { accountChecks, type CheckedAccounts } from './check-accounts.ts';
import { checkDatabase } from './check-database.ts';
import { checkFiles, checkSecrets, checkSettings } from './check-files.ts';
import { checkKeys } from './check-keys.ts';
import { checkDisks, type CheckedDisk } from './check-machine.ts';
import { checkMcp } from './check-mcp.ts';
import type { InspectionMemory } from './inspection-memory.ts';
import type { Check, CheckRunner } from './run-checks.ts';
import { companyFault, healthOf } from './validation-codes.ts';

/** `asked`: somebody waits for it; `background`: the watch over the health of companies. */
export type ValidationCause = 'asked' | 'background';

/** What a validation looks at. */
export type ValidationParts = {
  contexts: Pick<InstanceContexts, 'load'>;
  runner: CheckRunner;
  clock: Clock;
  /** null = there is no such company. */
  row: (name: string) => Promise<(RegisteredCompany & { monthCostUsd: number }) | null>;
  inspect: (context: InstanceContext) => Promise<DatabaseInspection>;
  /** What was found in databases before, for validations that nobody waits for; null = each looks again. */
  memory: InspectionMemory | null;
  keys: (name: string) => Promise<readonly KeptKey[]>;
  accounts: (context: InstanceContext) => Promise<CheckedAccounts>;
  /** What must have room, beside the company's own folder. */
  disks: readonly CheckedDisk[];
  /** As the variable PATH has it, for commands of MCP servers. */
  searchPath: string;
  /** For URLs that a company names. */
  fetch: typeof fetch;
};

/**
 * Everything that is wrong in a company, at once. A part that is away, hangs or breaks is a fault of its own and keeps no other
 * check from running. Throws only INSTANCE_NOT_FOUND, and STORE_UNAVAILABLE while Colmeia's own database is away.
 */
export async function validateInstance(
  parts: ValidationParts,
  name: string,
  cause: ValidationCause = 'asked',
): Promise<ValidationReport> {
  const loading = { context: null as InstanceContext | null, error: null as unknown };
  const load = async (): Promise<CompanyFault[]> => {
    try {
      loading.context = await parts.contexts.load(name);
    } catch (error) {
      loading.error = error;
    }
    return loading.context === null ? [] : checkFiles(loading.context);
  };
  const files = await parts.runner.run(name, [{ name: 'files', run: load }]);
  if (loading.error !== null) throw loading.error as Error;
  // A disk that hangs: nothing is known of the company but that.
  const checks = loading.context === null ? [] : checksOf(parts, loading.context, cause);
  const others = await parts.runner.run(name, checks);
  const faults = sorted([...files.faults, ...others.faults]);
  const validated_at = new Date(parts.clock.now()).toISOString();
  return { name, health: healthOf(faults), faults, checks: [...files.checks, ...others.checks], validated_at };
}

function checksOf(parts: ValidationParts, context: InstanceContext, cause: ValidationCause): Check[] {
  const { clock, searchPath, fetch } = parts;
  const { name, folder, mcp } = context;
  return [
    { name: 'secrets', run: async () => checkSecrets(context) },
    { name: 'settings', run: () => checkRegistry(parts, context) },
    { name: 'database', run: () => inspectDatabase(parts, context, cause) },
    { name: 'keys', run: async () => checkKeys(await parts.keys(name), clock.now()) },
    ...accountChecks(() => parts.accounts(context)),
    { name: 'mcp', run: (signal) => checkMcp(mcp, { folder, searchPath, fetch, signal }) },
    { name: 'disk', run: () => checkDisks([{ place: 'disk of the folder', folder }, ...parts.disks]) },
  ];
}

async function inspectDatabase(
  { inspect, memory }: ValidationParts,
  context: InstanceContext,
  cause: ValidationCause,
): Promise<readonly CompanyFault[]> {
  const { name, initialized, migrations } = context;
  if (!initialized) return [companyFault('NOT_INITIALIZED', name, 'its database is not made yet')];
  const known = cause === 'asked' ? null : ((await memory?.recall(name, migrations)) ?? null);
  if (known !== null) return known;
  const faults = checkDatabase(await inspect(context), migrations);
  memory?.keep(name, migrations, faults);
  return faults;
}

async function checkRegistry(parts: ValidationParts, context: InstanceContext): Promise<CompanyFault[]> {
  const row = await parts.row(context.name);
  if (row === null) return [];
  const faults = checkSettings(row, context);
  const { budget_usd: budget } = row;
  if (budget !== null && row.monthCostUsd > budget) {
    const spent = `${row.monthCostUsd.toFixed(2)} of ${budget.toFixed(2)} US dollars are spent this month`;
    faults.push(companyFault('BUDGET_EXCEEDED', 'budget', spent));
  }
  return faults;
}

const RANKS = { error: 0, warning: 1, info: 2 };

/** Errors first; else in the order of the checks. */
function sorted(faults: readonly CompanyFault[]): CompanyFault[] {
  return faults.toSorted((a, b) => RANKS[a.severity] - RANKS[b.severity]);
}

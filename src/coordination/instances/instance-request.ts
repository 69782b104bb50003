import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { nameFaults } from './folder/company-name.ts';
import { listTemplates } from './folder/template.ts';
import type { NewRow } from './instance-store.ts';
import { STRATEGIES, TIERS, type NewInstance, type Strategy, type Tier } from './instance-views.ts';

const STATES = ['active', 'paused', 'deleting'];
const HEALTHS = ['unknown', 'healthy', 'degraded', 'unhealthy'];
const MOST_REASON = 1_000;
const MOST_BUDGET = 1e9;

/** What is asked of a new company, with defaults. Throws INVALID_REQUEST with every fault. */
export async function parseNewInstance(request: NewInstance): Promise<NewRow> {
  const { name, tier = 'bronze', strategy = 'hybrid', template = 'default', budget_usd = null } = request;
  const templates = await listTemplates();
  refuse([
    ...nameFaults(name),
    ...oneOf('tier', tier, TIERS),
    ...oneOf('strategy', strategy, STRATEGIES),
    ...oneOf('template', template, templates),
    ...budgetFaults(budget_usd),
  ]);
  return { name, tier: tier as Tier, strategy: strategy as Strategy, template, budgetUsd: budget_usd, folder: null };
}

/** Throws INVALID_REQUEST with every fault. */
export function parseChange(request: { tier?: string; budget_usd?: number | null }): {
  tier?: Tier;
  budgetUsd?: number | null;
} {
  const { tier, budget_usd } = request;
  const faults = [
    ...(tier === undefined ? [] : oneOf('tier', tier, TIERS)),
    ...(budget_usd === undefined ? [] : budgetFaults(budget_usd)),
  ];
  if (tier === undefined && budget_usd === undefined)
    faults.push({ path: '', message: 'must name tier or budget_usd' });
  refuse(faults);
  return {
    ...(tier === undefined ? {} : { tier: tier as Tier }),
    ...(budget_usd === undefined ? {} : { budgetUsd: budget_usd }),
  };
}

export function checkFilter(query: { state?: string; health?: string }): void {
  refuse([
    ...(query.state === undefined ? [] : oneOf('state', query.state, STATES)),
    ...(query.health === undefined ? [] : oneOf('health', query.health, HEALTHS)),
  ]);
}

export function checkReason(reason: unknown): void {
  if (reason !== undefined && (typeof reason !== 'string' || reason.length > MOST_REASON))
    refuse([{ path: 'reason', message: `must be a text of at most ${MOST_REASON} characters` }]);
}

/** A delete asks for the name again. */
export function checkConfirmation(name: string, confirm: unknown): void {
  if (confirm !== name) refuse([{ path: 'confirm', message: `must be the name of the company again, "${name}"` }]);
}

export function checkNewName(name: unknown, path: string): string {
  refuse(nameFaults(name, path));
  return name as string;
}

function oneOf(path: string, value: unknown, allowed: readonly string[]): Fault[] {
  return allowed.includes(value as string) ? [] : [{ path, message: `must be one of ${allowed.join(', ')}` }];
}

function budgetFaults(value: unknown): Fault[] {
  const isAmount = typeof value === 'number' && value >= 0 && value <= MOST_BUDGET;
  if (value === null || isAmount) return [];
  return [{ path: 'budget_usd', message: 'must be an amount of US dollars a month, 0 or more; null = no limit' }];
}

function refuse(faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  const [{ path, message }] = faults;
  throw new ColmeiaError('INVALID_REQUEST', `the request is invalid: ${path} ${message}`, { faults: [...faults] });
}

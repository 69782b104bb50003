import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { BURST_SETTINGS } from '../scheduling/contingency/burst-pool.ts';
import { DEGRADATION_SETTINGS } from '../scheduling/contingency/degradation.ts';
import { SATURATION_SETTINGS } from '../scheduling/contingency/saturation.ts';
import { GUARD_SETTINGS } from '../scheduling/models/agent-guards.ts';
import { BURN_SETTINGS } from '../scheduling/models/burn-mode.ts';
import { DURATION_SETTINGS } from '../scheduling/models/duration-model.ts';
import { readObjectives, type ServiceObjectives } from '../scheduling/models/service-objectives.ts';
import { SLA_WARNING_SETTINGS } from '../scheduling/models/sla-warning.ts';
import { SPECULATION_SETTINGS } from '../scheduling/models/speculation.ts';
import { TRAIL_SETTINGS } from '../scheduling/models/trail-settings.ts';
import { parsePolicy } from '../scheduling/parse-policy.ts';
import { policyOf, type Policy } from '../scheduling/policy.ts';
import { readSettings, type SettingsOf, type SettingTable } from '../scheduling/setting.ts';

/** Every table of numbers beside those of the policy, by its name in the document. */
export const SETTING_TABLES = {
  durations: DURATION_SETTINGS,
  sla: SLA_WARNING_SETTINGS,
  trails: TRAIL_SETTINGS,
  guards: GUARD_SETTINGS,
  speculation: SPECULATION_SETTINGS,
  burn: BURN_SETTINGS,
  saturation: SATURATION_SETTINGS,
  burst: BURST_SETTINGS,
  degradation: DEGRADATION_SETTINGS,
} as const satisfies Record<string, SettingTable>;

type Settings = { [K in keyof typeof SETTING_TABLES]: SettingsOf<(typeof SETTING_TABLES)[K]> };

/** Everything an operator can say of scheduling: `{preset, …overrides of the policy, objectives, settings}`. */
export type SchedulingConfig = {
  /** As it was asked for. */
  document: Record<string, unknown>;
  policy: Policy;
  objectives: ServiceObjectives;
  settings: Settings;
};

/** `caps`: what holds where the document says nothing. Throws INVALID_POLICY with every fault at once. */
export function readSchedulingConfig(document: unknown, caps: Partial<Policy['caps']> = {}): SchedulingConfig {
  const isObject = typeof document === 'object' && document !== null && !Array.isArray(document);
  const faults: Fault[] = isObject ? [] : [{ path: '', message: 'must be an object' }];
  const { objectives, settings, ...policy } = (isObject ? document : {}) as Record<string, unknown>;
  const parsed = parsePolicy(policy, caps);
  faults.push(...parsed.faults);
  const config: SchedulingConfig = {
    document: (isObject ? document : {}) as Record<string, unknown>,
    policy: parsed.policy ?? policyOf('adaptive'),
    objectives: readObjectives(objectives, 'objectives', faults),
    settings: readTables(settings, faults),
  };
  if (faults.length === 0) return config;
  const many = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  const [{ path, message }] = faults;
  throw new ColmeiaError('INVALID_POLICY', `the policy has ${many}: ${path} ${message}`.trim(), { faults });
}

function readTables(value: unknown, faults: Fault[]): Settings {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (value !== undefined && !isObject) faults.push({ path: 'settings', message: 'must be an object' });
  const given = (isObject ? value : {}) as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(SETTING_TABLES, name)) continue;
    const known = Object.keys(SETTING_TABLES).join(', ');
    faults.push({ path: `settings.${name}`, message: `is not known; there are ${known}` });
  }
  return Object.fromEntries(
    Object.entries(SETTING_TABLES).map(([name, table]) => [
      name,
      readSettings(table, given[name], `settings.${name}`, faults),
    ]),
  ) as Settings;
}

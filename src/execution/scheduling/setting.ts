import type { Fault } from '../../platform/errors.ts';

/** A number that an operator can set. Tables of them give the type, the default, the check and the documentation. */
export type Setting = { default: number; min: number; max: number; /** What it does, with its unit. */ what: string };
export type SettingTable = Readonly<Record<string, Setting>>;
export type SettingsOf<T extends SettingTable> = { [K in keyof T]: number };

export function defaultsOf<T extends SettingTable>(table: T): SettingsOf<T> {
  return Object.fromEntries(Object.entries(table).map(([name, one]) => [name, one.default])) as SettingsOf<T>;
}

/** Settings out of JSON: what is absent has its default. Every fault is added to `faults`, with its path. */
export function readSettings<T extends SettingTable>(
  table: T,
  value: unknown,
  path: string,
  faults: Fault[],
): SettingsOf<T> {
  const settings = defaultsOf(table) as Record<string, number>;
  if (value === undefined) return settings as SettingsOf<T>;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.push({ path, message: 'must be an object' });
    return settings as SettingsOf<T>;
  }
  for (const [name, given] of Object.entries(value)) {
    const setting = Object.hasOwn(table, name) ? table[name] : undefined;
    if (setting === undefined) {
      faults.push({ path: `${path}.${name}`, message: `is not a setting; there are ${Object.keys(table).join(', ')}` });
    } else if (typeof given !== 'number' || !(given >= setting.min && given <= setting.max)) {
      faults.push({ path: `${path}.${name}`, message: `must be a number from ${setting.min} to ${setting.max}` });
    } else settings[name] = given;
  }
  return settings as SettingsOf<T>;
}

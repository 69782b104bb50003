import { nearestName } from '../../platform/contracts/nearest-name.ts';
import type { Fault } from '../../platform/errors.ts';

/** A number that an operator can set. Tables of them give the type, the default, the check and the documentation. */
export type Setting = { default: number; min: number; max: number; /** What it does, with its unit. */ what: string };
export type SettingTable = Readonly<Record<string, Setting>>;
export type SettingsOf<T extends SettingTable> = { [K in keyof T]: number };

export function defaultsOf<T extends SettingTable>(table: T): SettingsOf<T> {
  return Object.fromEntries(Object.entries(table).map(([name, one]) => [name, one.default])) as SettingsOf<T>;
}

/** The name of a setting in documents: `lagSeconds` is `lag_seconds`. */
export const documentName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Settings as a document, for people. */
export const settingsDocument = (settings: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [documentName(name), value]));

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
  const names = new Map(Object.keys(table).map((name) => [documentName(name), name]));
  for (const [said, given] of Object.entries(value)) {
    const name = names.get(said);
    const setting = name === undefined ? undefined : table[name];
    if (name === undefined || setting === undefined) {
      const near = nearestName(said, [...names.keys()]);
      const hint = near === null ? `there are ${[...names.keys()].join(', ')}` : `did you mean ${near}?`;
      faults.push({ path: `${path}.${said}`, message: `is not a setting; ${hint}` });
    } else if (typeof given !== 'number' || !(given >= setting.min && given <= setting.max)) {
      faults.push({ path: `${path}.${said}`, message: `must be a number from ${setting.min} to ${setting.max}` });
    } else settings[name] = given;
  }
  return settings as SettingsOf<T>;
}

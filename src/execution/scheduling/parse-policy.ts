import { nearestName } from '../../platform/contracts/nearest-name.ts';
import type { Fault } from '../../platform/errors.ts';
import { FILTER_PLUGINS } from './filter-plugins.ts';
import { ORDER_PLUGINS } from './order-plugins.ts';
import { COMPANY_RULES, POLICY_SETTINGS, policyOf, PRESETS, type Caps, type Policy, type Preset } from './policy.ts';
import { SCORE_PLUGINS } from './score-plugins.ts';
import { documentName } from './setting.ts';

const MOST_NAMES = 32;
const MOST_LABELS = 100;
const OTHER_FIELDS = ['preset', 'companies', 'order', 'filters', 'scores', 'tiers', 'hold', 'exploration', 'caps'];
const FIELDS = [...OTHER_FIELDS, ...Object.keys(POLICY_SETTINGS).map(documentName)];

type Fields = Record<string, unknown>;
type Report = (path: string, message: string) => void;

/**
 * A policy out of JSON: a preset (default adaptive) and what differs from it, as in
 * `{ "preset": "adaptive", "lag_seconds": 600, "caps": { "per_label": { "provider=openai": 10 } } }`.
 * Every fault at once, with its path; with faults there is no policy. `caps`: those that hold where it names none.
 */
export function parsePolicy(value: unknown, caps: Partial<Caps> = {}): { policy: Policy | null; faults: Fault[] } {
  const faults: Fault[] = [];
  const report: Report = (path, message) => void faults.push({ path, message });
  if (!isFields(value)) return { policy: null, faults: [{ path: '', message: 'must be an object' }] };
  for (const name of Object.keys(value)) {
    if (!FIELDS.includes(name)) report(name, `is not a field of a policy${hint(name, FIELDS)}`);
  }
  const preset = value.preset === undefined ? 'adaptive' : oneOf(value.preset, PRESETS, 'preset', report);
  const ofPreset = policyOf((preset ?? 'adaptive') as Preset);
  const base: Policy = { ...ofPreset, caps: { ...ofPreset.caps, ...caps } };
  const policy: Policy = {
    ...base,
    ...readNumbers(value, report),
    companies: read(value.companies, base.companies, (given) => oneOf(given, COMPANY_RULES, 'companies', report)),
    order: read(value.order, base.order, (given) => names(given, ORDER_PLUGINS, 'order', report)),
    filters: read(value.filters, base.filters, (given) => names(given, FILTER_PLUGINS, 'filters', report)),
    scores: read(value.scores, base.scores, (given) => readScores(given, report)),
    tiers: read(value.tiers, base.tiers, (given) =>
      numbersBy(given, 'tiers', report, (weight) => weight > 0 && weight <= 1e6, 'a number from above 0 to 1000000'),
    ),
    hold: read(value.hold, base.hold, (given) => flag(given, 'hold', report)),
    exploration: read(value.exploration, base.exploration, (given) => flag(given, 'exploration', report)),
    caps: read(value.caps, base.caps, (given) => readCaps(given, base.caps, report)),
  };
  return faults.length > 0 ? { policy: null, faults } : { policy, faults };
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is given, when it is right; else what the preset says. */
function read<T>(given: unknown, preset: T, parse: (given: unknown) => T | null): T {
  return given === undefined ? preset : (parse(given) ?? preset);
}

function hint(name: string, candidates: readonly string[]): string {
  const near = nearestName(name, candidates);
  return near === null ? `; there are ${candidates.join(', ')}` : `; did you mean ${near}?`;
}

function oneOf<T extends string>(given: unknown, all: readonly T[], path: string, report: Report): T | null {
  const found = all.find((name) => name === given);
  if (found !== undefined) return found;
  report(path, typeof given === 'string' ? `is not known${hint(given, all)}` : `must be one of ${all.join(', ')}`);
  return null;
}

function names<T extends string>(
  given: unknown,
  plugins: Readonly<Record<T, unknown>>,
  path: string,
  report: Report,
): T[] | null {
  if (!Array.isArray(given) || given.length > MOST_NAMES) {
    report(path, `must be a list of at most ${MOST_NAMES} names`);
    return null;
  }
  const all = Object.keys(plugins) as T[];
  const list: T[] = [];
  for (const [at, name] of given.entries()) {
    const found = oneOf(name, all, `${path}[${at}]`, report);
    if (found === null) continue;
    if (list.includes(found)) report(`${path}[${at}]`, 'stands there twice');
    list.push(found);
  }
  return list;
}

function flag(given: unknown, path: string, report: Report): boolean | null {
  if (typeof given === 'boolean') return given;
  report(path, 'must be true or false');
  return null;
}

function readNumbers(value: Fields, report: Report): Partial<Policy> {
  const read: Record<string, number> = {};
  for (const [name, { min, max }] of Object.entries(POLICY_SETTINGS)) {
    const said = documentName(name);
    const given = value[said];
    if (given === undefined) continue;
    if (typeof given === 'number' && given >= min && given <= max) read[name] = given;
    else report(said, `must be a number from ${min} to ${max}`);
  }
  return read;
}

function readScores(given: unknown, report: Report): Policy['scores'] | null {
  const scores = numbersBy(given, 'scores', report, (weight) => weight >= 0 && weight <= 1e9, 'a number from 0 to 1e9');
  const all = Object.keys(SCORE_PLUGINS);
  for (const name of Object.keys(scores ?? {}))
    if (!all.includes(name)) report(`scores.${name}`, `is not known${hint(name, all)}`);
  return scores;
}

function numbersBy(
  given: unknown,
  path: string,
  report: Report,
  isRight: (number: number) => boolean,
  what: string,
): Record<string, number> | null {
  if (!isFields(given) || Object.keys(given).length > MOST_LABELS) {
    report(path, `must be an object with at most ${MOST_LABELS} numbers`);
    return null;
  }
  for (const [name, number] of Object.entries(given))
    if (typeof number !== 'number' || !isRight(number)) report(`${path}.${name}`, `must be ${what}`);
  return { ...given } as Record<string, number>;
}

function readCaps(given: unknown, preset: Caps, report: Report): Caps | null {
  if (!isFields(given)) {
    report('caps', 'must be an object');
    return null;
  }
  const all = ['running', 'per_company', 'per_label'];
  for (const name of Object.keys(given))
    if (!all.includes(name)) report(`caps.${name}`, `is not known${hint(name, all)}`);
  const cap = (name: string, otherwise: number | null): number | null => {
    const number = given[name];
    if (number === undefined) return otherwise;
    if (number === null || isCount(number)) return number;
    report(`caps.${name}`, 'must be a whole number ≥ 0, or null for none');
    return null;
  };
  const perLabel = read(given.per_label, preset.perLabel, (labels) =>
    numbersBy(labels, 'caps.per_label', report, isCount, 'a whole number ≥ 0'),
  );
  for (const label of Object.keys(perLabel))
    if (label.indexOf('=') < 1) report(`caps.per_label.${label}`, 'must be named as label=value');
  return { running: cap('running', preset.running), perCompany: cap('per_company', preset.perCompany), perLabel };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

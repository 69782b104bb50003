import type { Fault } from '../../../platform/errors.ts';

/** Objective of a tier or company; null or absent = the more general one holds. */
type Objective = { target?: number; types?: Record<string, number> };

/**
 * Which share of results must be on time, over 28 days. The most specific one holds: the company's for the type, the
 * company's, the tier's for the type, the tier's, the type's, the default.
 */
export type ServiceObjectives = {
  /** Default 0.99. */
  target: number;
  types: Record<string, number>;
  tiers: Record<string, Objective>;
  companies: Record<string, Objective>;
};

export const DEFAULT_OBJECTIVES: ServiceObjectives = { target: 0.99, types: {}, tiers: {}, companies: {} };

const MIN_TARGET = 0.5;
const MAX_TARGET = 0.9999;

/** Share in [0.5, 0.9999]. */
export function targetOf(objectives: ServiceObjectives, instance: string, tier: string, type: string): number {
  const company = own(objectives.companies, instance);
  const ofTier = own(objectives.tiers, tier);
  return (
    own(company?.types, type) ??
    company?.target ??
    own(ofTier?.types, type) ??
    ofTier?.target ??
    own(objectives.types, type) ??
    objectives.target
  );
}

/** Objectives out of JSON. Every fault is added to `faults`, with its path. */
export function readObjectives(value: unknown, path: string, faults: Fault[]): ServiceObjectives {
  const read: ServiceObjectives = structuredClone(DEFAULT_OBJECTIVES);
  if (value === undefined) return read;
  for (const [name, given] of entries(value, path, faults)) {
    const at = `${path}.${name}`;
    if (name === 'target') read.target = readTarget(given, at, faults) ?? read.target;
    else if (name === 'types') read.types = readTargets(given, at, faults);
    else if (name === 'tiers' || name === 'companies') {
      for (const [key, one] of entries(given, at, faults)) read[name][key] = readObjective(one, `${at}.${key}`, faults);
    } else faults.push({ path: at, message: 'is not known; there are target, types, tiers, companies' });
  }
  return read;
}

function readObjective(value: unknown, path: string, faults: Fault[]): Objective {
  const read: Objective = {};
  for (const [name, given] of entries(value, path, faults)) {
    const at = `${path}.${name}`;
    if (name === 'target') read.target = readTarget(given, at, faults);
    else if (name === 'types') read.types = readTargets(given, at, faults);
    else faults.push({ path: at, message: 'is not known; there are target, types' });
  }
  return read;
}

function readTargets(value: unknown, path: string, faults: Fault[]): Record<string, number> {
  const read: Record<string, number> = {};
  for (const [type, given] of entries(value, path, faults)) {
    const target = readTarget(given, `${path}.${type}`, faults);
    if (target !== undefined) read[type] = target;
  }
  return read;
}

function readTarget(value: unknown, path: string, faults: Fault[]): number | undefined {
  if (typeof value === 'number' && value >= MIN_TARGET && value <= MAX_TARGET) return value;
  faults.push({ path, message: `must be a number from ${MIN_TARGET} to ${MAX_TARGET}` });
  return undefined;
}

function entries(value: unknown, path: string, faults: Fault[]): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value);
  faults.push({ path, message: 'must be an object' });
  return [];
}

/** What stands under a key that a caller chose; not what every object inherits. */
const own = <V>(record: Record<string, V> | undefined, key: string): V | undefined =>
  record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;

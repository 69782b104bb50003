import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { AGENT_KINDS, type AgentSpec } from './agent.ts';
import { checkLabels } from '../scheduling/check-labels.ts';
import { checkPrices } from './token-usage.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$/;
const LIST_LIMIT = 200;
const MAX_CONCURRENCY = 10_000;
/** Tickets that a person has in the inbox at once, unless they say otherwise. */
const PERSON_CONCURRENCY = 10;

/** What POST /api/v1/agents takes, with its defaults; throws INVALID_REQUEST with every fault. */
export function parseAgentSpec(value: unknown): AgentSpec {
  const faults: Fault[] = [];
  const given = (typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}) as Record<
    string,
    unknown
  >;
  if (given !== value) faults.push({ path: '', message: 'must be an object' });
  const spec: AgentSpec = {
    agent_id: typeof given.agent_id === 'string' ? given.agent_id : '',
    kind: (given.kind ?? 'service') as AgentSpec['kind'],
    task_types: names(given.task_types ?? [], 'task_types', faults),
    capabilities: names(given.capabilities ?? [], 'capabilities', faults),
    concurrency: (given.concurrency ?? (given.kind === 'person' ? PERSON_CONCURRENCY : 1)) as number,
    labels: labels(given.labels ?? {}, faults),
    region: text(given.region, 'region', faults),
    version: text(given.version, 'version', faults),
  };
  if (!NAME.test(spec.agent_id))
    faults.push({
      path: 'agent_id',
      message: 'must be 1 to 128 letters, digits or . _ : @ -, beginning with a letter or digit',
    });
  if (!AGENT_KINDS.includes(spec.kind))
    faults.push({ path: 'kind', message: `must be one of ${AGENT_KINDS.join(', ')}` });
  if (!Number.isInteger(spec.concurrency) || spec.concurrency < 1 || spec.concurrency > MAX_CONCURRENCY) {
    faults.push({ path: 'concurrency', message: `must be a whole number from 1 to ${MAX_CONCURRENCY}` });
  }
  if (Array.isArray(given.task_types) ? given.task_types.length === 0 : true)
    faults.push({ path: 'task_types', message: 'must be a list of at least one task type' });
  checkPrices(spec.labels, faults);
  checkLabels(spec.labels, faults);
  if (faults.length > 0)
    throw new ColmeiaError('INVALID_REQUEST', `the agent is invalid: ${faults[0].path}: ${faults[0].message}`, {
      faults,
    });
  // Task types of the record are upper case; any other is the caller's own and stays as it is.
  return { ...spec, task_types: [...new Set(spec.task_types)], capabilities: [...new Set(spec.capabilities)] };
}

function names(value: unknown, path: string, faults: Fault[]): string[] {
  if (!Array.isArray(value)) {
    faults.push({ path, message: 'must be a list of texts' });
    return [];
  }
  if (value.length > LIST_LIMIT)
    faults.push({ path, message: `has ${value.length} entries; at most ${LIST_LIMIT} are allowed` });
  value.slice(0, LIST_LIMIT).forEach((name, i) => {
    if (!isText(name, 200) || name === '')
      faults.push({ path: `${path}[${i}]`, message: 'must be a text of 1 to 200 characters' });
  });
  return value as string[];
}

function labels(value: unknown, faults: Fault[]): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.push({ path: 'labels', message: 'must be an object of texts' });
    return {};
  }
  const entries = Object.entries(value);
  if (entries.length > 100)
    faults.push({ path: 'labels', message: `has ${entries.length} entries; at most 100 are allowed` });
  for (const [name, label] of entries)
    if (!isText(label, 500) || !isText(name, 200))
      faults.push({ path: `labels.${name.slice(0, 100)}`, message: 'must be a text of at most 500 characters' });
  return Object.fromEntries(entries) as Record<string, string>;
}

function text(value: unknown, path: string, faults: Fault[]): string | null {
  if (value === undefined || value === null) return null;
  if (isText(value, 200)) return value;
  faults.push({ path, message: 'must be a text of at most 200 characters' });
  return null;
}

const isText = (value: unknown, max: number): value is string =>
  typeof value === 'string' && value.length <= max && !value.includes('\u0000') && value.isWellFormed();

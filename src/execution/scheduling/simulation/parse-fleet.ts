import { TASK_TYPE_VALUES } from '../../../platform/contracts/generated/enums.ts';
import { nearestName } from '../../../platform/contracts/nearest-name.ts';
import { isObject } from '../../../platform/contracts/take-fields.ts';
import { type Fault, isColmeiaError } from '../../../platform/errors.ts';
import { parseAgentSpec } from '../../agents/parse-agent-spec.ts';
import { type SimulatedAgent, simulatedAgent } from './scenario.ts';

/** What an agent of a fleet file says beyond what an agent says when it registers. */
const OWN_FIELDS = ['instance', 'count', 'speed', 'speeds', 'fails', 'from', 'until', 'silent', 'slots'] as const;
const SPEC_FIELDS = ['agent_id', 'kind', 'task_types', 'capabilities', 'concurrency', 'labels', 'region', 'version'];
const MAX_AGENTS = 100_000;

/**
 * A fleet file, `{agents: [{agent_id, count?, kind?, task_types?, capabilities?, concurrency?, region?, labels?, instance?,
 * speed?, speeds?, fails?, slots?, silent?, from?, until?}]}`, as simulated agents; every fault is added to `faults`.
 * Defaults: all task types, one of each, speed 1 (2 = twice as fast), no failures, there from the start (0 ms) to the end.
 */
export function parseFleet(value: unknown, faults: Fault[]): SimulatedAgent[] {
  const agents = isObject(value) ? value.agents : value;
  if (!Array.isArray(agents)) {
    faults.push({ path: 'agents', message: 'must be a list of agents' });
    return [];
  }
  const fleet: SimulatedAgent[] = [];
  const keys = new Set<string>();
  agents.forEach((agent, i) => {
    for (const one of parseAgents(agent, `agents[${i}]`, MAX_AGENTS - fleet.length, faults)) {
      if (keys.has(one.says.key))
        faults.push({ path: `agents[${i}].agent_id`, message: `"${one.says.key}" is there already` });
      keys.add(one.says.key);
      fleet.push(one);
    }
  });
  if (agents.length === 0) faults.push({ path: 'agents', message: 'a fleet needs at least one agent' });
  return fleet;
}

function parseAgents(value: unknown, path: string, most: number, faults: Fault[]): SimulatedAgent[] {
  if (!isObject(value)) {
    faults.push({ path, message: 'must be an object' });
    return [];
  }
  const known = [...SPEC_FIELDS, ...OWN_FIELDS];
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    faults.push({ path: `${path}.${name}`, message: `is no field${near === null ? '' : `; did you mean "${near}"?`}` });
  }
  const number = (name: string, start: number, least: number, limit: number): number =>
    numberIn(value[name] ?? start, `${path}.${name}`, least, limit, faults);
  const count = number('count', 1, 1, most);
  const speed = number('speed', 1, 1e-6, 1e6);
  const speeds = speedsIn(value.speeds, `${path}.speeds`, faults);
  const own = {
    factor: (type: string): number => 1 / (speeds.get(type) ?? speed),
    fails: number('fails', 0, 0, 1),
    from: number('from', 0, 0, 1e15),
    until: value.until === undefined || value.until === null ? null : number('until', 0, 0, 1e15),
    slots: value.slots === undefined || value.slots === null ? null : number('slots', 1, 1, 10_000),
    silent: value.silent === true,
  };
  if (own.until !== null && own.until <= own.from)
    faults.push({ path: `${path}.until`, message: `must be later than "from", which is ${own.from}` });
  const instance = value.instance === undefined ? null : value.instance;
  if (instance !== null && typeof instance !== 'string')
    faults.push({ path: `${path}.instance`, message: 'must be a text' });
  const spec = specIn(value, path, faults);
  if (spec === null || !Number.isInteger(count)) return [];
  return Array.from({ length: count }, (_, i) =>
    simulatedAgent(count === 1 ? spec.agent_id : `${spec.agent_id}-${i + 1}`, spec.task_types, {
      ...own,
      concurrency: spec.concurrency,
      says: {
        instance: typeof instance === 'string' ? instance : null,
        kind: spec.kind,
        capabilities: new Set(spec.capabilities),
        labels: spec.labels,
        region: spec.region,
      },
    }),
  );
}

function specIn(value: Readonly<Record<string, unknown>>, path: string, faults: Fault[]) {
  try {
    const given = Object.fromEntries(SPEC_FIELDS.map((name) => [name, value[name]]));
    return parseAgentSpec({ ...given, task_types: value.task_types ?? TASK_TYPE_VALUES });
  } catch (error) {
    if (!isColmeiaError(error)) throw error;
    for (const fault of error.faults) faults.push({ path: `${path}.${fault.path}`, message: fault.message });
    return null;
  }
}

function speedsIn(value: unknown, path: string, faults: Fault[]): Map<string, number> {
  if (value === undefined || value === null) return new Map();
  if (!isObject(value)) {
    faults.push({ path, message: 'must be an object of numbers' });
    return new Map();
  }
  return new Map(
    Object.entries(value).map(([type, speed]) => [type, numberIn(speed, `${path}.${type}`, 1e-6, 1e6, faults)]),
  );
}

function numberIn(value: unknown, path: string, least: number, most: number, faults: Fault[]): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  faults.push({ path, message: `must be a number from ${least} to ${most}` });
  return Number.NaN;
}

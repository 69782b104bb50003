import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { nearestName } from '../../platform/contracts/nearest-name.ts';
import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import type {
  AgentConfig,
  ClusterAgentConfig,
  CommandConfig,
  HttpAgentConfig,
  ProcessAgentConfig,
} from './agent-config.ts';
import { ERROR_CLASSES, type ErrorClass } from './agent-transport.ts';

const TASK_TYPES = ['BUILD', 'DEPLOY', 'TEST', 'VALIDATE', 'EXECUTE', 'COMPENSATE', 'QUERY', 'TRANSFORM'];
const HOUR_MS = 3_600_000;
const MIB = 1_048_576;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Reads agents.json. Throws CONFIG_INVALID with every fault; a file that is not there has no agents. */
export async function readAgentConfig(path: string): Promise<AgentConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { agents: [], folder: dirname(resolve(path)) };
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ColmeiaError('CONFIG_INVALID', `${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  return parseAgentConfig(value, dirname(resolve(path)));
}

/** Checks a list of agents and fills in what they leave out. `folder`: what relative paths start from. Throws CONFIG_INVALID with every fault. */
export function parseAgentConfig(value: unknown, folder: string): AgentConfig {
  const faults: Fault[] = [];
  const agents: AgentConfig['agents'] = [];
  if (!Array.isArray(value)) faults.push({ path: '', message: 'must be an array of agents' });
  else value.forEach((each, n) => agents.push(takeAgent(new Fields(each, `[${n}]`, faults), folder)));
  const ids = new Map<string, number>();
  agents.forEach(({ agent_id }, n) => {
    const first = ids.get(agent_id);
    if (first !== undefined && agent_id !== '')
      faults.push({ path: `[${n}].agent_id`, message: `is the same as [${first}].agent_id` });
    else ids.set(agent_id, n);
  });
  if (faults.length > 0) {
    const list = faults.slice(0, 5).map(({ path, message }) => `${path} ${message}`.trim());
    throw new ColmeiaError(
      'CONFIG_INVALID',
      `the configuration of agents is wrong: ${list.join('; ')}${faults.length > 5 ? '; …' : ''}`,
      { faults },
    );
  }
  return { agents, folder };
}

function takeAgent(fields: Fields, folder: string): AgentConfig['agents'][number] {
  const kind = fields.oneOf('kind', ['process', 'http']);
  const shared = {
    agent_id: fields.text('agent_id', { pattern: NAME, is: 'a name of letters, digits, ".", "_" and "-"' }),
    task_types: fields.texts('task_types', { least: 1, allowed: TASK_TYPES }),
    capabilities: fields.texts('capabilities', {}),
    concurrency: fields.integer('concurrency', 1, 1, 1_000),
    labels: fields.map('labels'),
    ...(fields.has('region') ? { region: fields.text('region') } : {}),
    ...(fields.has('version') ? { version: fields.text('version') } : {}),
  };
  const agent =
    kind === 'http'
      ? fields.has('colmeia')
        ? takeCluster(fields, shared)
        : takeHttp(fields, shared)
      : kind === 'process'
        ? takeProcess(fields, shared, folder)
        : null;
  if (agent !== null) fields.noOthers();
  return agent ?? ({ ...shared, kind } as never);
}

type Shared = Pick<HttpAgentConfig, 'agent_id' | 'task_types' | 'capabilities' | 'concurrency' | 'labels'>;

function takeProcess(fields: Fields, shared: Shared, folder: string): ProcessAgentConfig {
  const timeout_ms = fields.integer('timeout_ms', HOUR_MS, 1, 30 * 24 * HOUR_MS);
  const commands: Record<string, CommandConfig> = {};
  for (const [name, value, path] of fields.entries('commands', true)) {
    if (!NAME.test(name)) fields.report(path, 'must be named with letters, digits, ".", "_" and "-"');
    const command = new Fields(Array.isArray(value) ? { argv: value } : value, path, fields.faults);
    commands[name] = {
      argv: command.texts('argv', { least: 1, at: Array.isArray(value) ? path : undefined }),
      timeout_ms: command.integer('timeout_ms', timeout_ms, 1, 30 * 24 * HOUR_MS),
    };
    command.noOthers();
  }
  const env = fields.texts('env', { pattern: VARIABLE, is: 'the name of a variable' });
  env.forEach((name, n) => {
    if (name.startsWith('COLMEIA_'))
      fields.report(
        `${fields.path}.env[${n}]`,
        'must not begin with COLMEIA_: those are set for each run, and the keys of the control plane stay with it',
      );
  });
  const exit_classes: Record<string, ErrorClass> = {};
  for (const [code, name, path] of fields.entries('exit_classes', false)) {
    if (!/^\d+$/.test(code) || Number(code) < 1 || Number(code) > 255)
      fields.report(path, 'must be named with an exit code from 1 to 255');
    if (!ERROR_CLASSES.includes(name as ErrorClass)) fields.report(path, `must be one of ${ERROR_CLASSES.join(', ')}`);
    exit_classes[code] = name as ErrorClass;
  }
  const work_root = fields.has('work_root') ? resolve(folder, fields.text('work_root')) : null;
  return {
    ...shared,
    kind: 'process',
    commands,
    env,
    exit_classes,
    timeout_ms,
    work_root,
    choose_by: takeChoice(fields),
    work_folder: fields.has('work_folder')
      ? (fields.oneOf('work_folder', ['plan', 'company', 'run']) as 'plan')
      : 'plan',
    keep_days: fields.integer('keep_days', 7, 1, 3_650),
    stop_grace_ms: fields.integer('stop_grace_ms', 2_000, 0, HOUR_MS),
    orphan_ms: fields.integer('orphan_ms', 600_000, 0, 7 * 24 * HOUR_MS),
    keep_bytes: fields.integer('keep_bytes', MIB, 1_024, 64 * MIB),
    isolate: fields.has('isolate') ? (fields.oneOf('isolate', ['files', 'processes', 'none']) as 'files') : 'files',
    hidden: fields.texts('hidden', {}).map((path) => resolve(folder, path)),
    visible: fields.texts('visible', { most: 3 }),
  };
}

function takeChoice(fields: Fields): ProcessAgentConfig['choose_by'] {
  const value = fields.take('choose_by');
  if (value === undefined || value === 'task_type') return 'task_type';
  const choice = new Fields(value, `${fields.path}.choose_by`, fields.faults, '"task_type" or {"parameter": "<name>"}');
  if (!choice.isObject) return 'task_type';
  const parameter = choice.text('parameter');
  choice.noOthers();
  return { parameter };
}

function takeHttp(fields: Fields, shared: Shared): HttpAgentConfig {
  return {
    ...shared,
    kind: 'http',
    endpoint: takeUrl(fields, 'endpoint'),
    secret: takeSecret(fields),
    headers: fields.map('headers'),
    timeout_ms: fields.integer('timeout_ms', 60_000, 1, 24 * HOUR_MS),
    retries: fields.integer('retries', 2, 0, 10),
    max_response_bytes: fields.integer('max_response_bytes', MIB, 1, 64 * MIB),
  };
}

/** The other agents come first: this one says so itself. */
function takeCluster(fields: Fields, shared: Shared): ClusterAgentConfig {
  const colmeia = new Fields(fields.take('colmeia'), `${fields.path}.colmeia`, fields.faults);
  const address = takeUrl(colmeia, 'address');
  if (/[?#]/.test(address)) colmeia.report(`${colmeia.path}.address`, 'must be a base URL, without "?" and "#"');
  const taken = {
    address,
    key_file: colmeia.text('key_file'),
    instance: colmeia.has('instance') ? colmeia.text('instance') : null,
    max_hops: colmeia.integer('max_hops', 1, 1, 2),
    unreachable_ms: colmeia.integer('unreachable_ms', 60_000, 1, HOUR_MS),
  };
  if (colmeia.isObject) colmeia.noOthers();
  return { ...shared, labels: { ...shared.labels, last_resort: 'true' }, kind: 'http', colmeia: taken };
}

function takeUrl(fields: Fields, name: string): string {
  const text = fields.text(name);
  const url = URL.parse(text);
  if (text !== '' && (url === null || !/^https?:$/.test(url.protocol)))
    fields.report(`${fields.path}.${name}`, 'must be an http(s) URL');
  else if (url?.username || url?.password) fields.report(`${fields.path}.${name}`, 'must not hold a user or password');
  return text;
}

function takeSecret(fields: Fields): HttpAgentConfig['secret'] {
  if (!fields.has('secret')) return null;
  const path = `${fields.path}.secret`;
  const secret = new Fields(
    fields.take('secret'),
    path,
    fields.faults,
    '{"file": "<path>"} or {"env": "<name>"}: the secret itself does not belong here',
  );
  if (!secret.isObject) return null;
  if (secret.has('file') === secret.has('env')) fields.report(path, 'must have either "file" or "env"');
  const taken = secret.has('file')
    ? { file: secret.text('file') }
    : { env: secret.has('env') ? secret.text('env', { pattern: VARIABLE, is: 'the name of a variable' }) : '' };
  secret.noOthers();
  return taken;
}

type TextRule = { pattern?: RegExp; is?: string; allowed?: readonly string[] };

/** Takes the fields of one object, and notes whatever is wrong with them. */
class Fields {
  readonly path: string;
  readonly faults: Fault[];
  readonly isObject: boolean;
  readonly #value: Record<string, unknown>;
  readonly #known = new Set<string>();

  constructor(value: unknown, path: string, faults: Fault[], expected = 'an object') {
    this.path = path;
    this.faults = faults;
    this.isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#value = this.isObject ? (value as Record<string, unknown>) : {};
    if (!this.isObject) this.report(path, `must be ${expected}`);
  }

  report(path: string, message: string): void {
    this.faults.push({ path, message });
  }

  has(name: string): boolean {
    this.#known.add(name);
    return Object.hasOwn(this.#value, name);
  }

  take(name: string): unknown {
    return this.has(name) ? this.#value[name] : undefined;
  }

  text(name: string, rule: TextRule = {}): string {
    return this.#text(this.take(name), `${this.path}.${name}`, rule);
  }

  texts(name: string, rule: TextRule & { least?: number; most?: number; at?: string }): string[] {
    const value = this.take(name);
    const path = rule.at ?? `${this.path}.${name}`;
    if (value === undefined && !rule.least) return [];
    if (!Array.isArray(value) || value.length < (rule.least ?? 0)) {
      if (this.isObject) this.report(path, `must be an array of ${rule.least ? 'at least one string' : 'strings'}`);
      return [];
    }
    if (rule.most !== undefined && value.length > rule.most)
      this.report(path, `must have at most ${rule.most} entries`);
    return value.map((each, n) => this.#text(each, `${path}[${n}]`, rule));
  }

  oneOf(name: string, allowed: string[]): string {
    return this.text(name, { allowed });
  }

  integer(name: string, otherwise: number, least: number, most: number): number {
    const value = this.take(name);
    if (value === undefined) return otherwise;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    this.report(`${this.path}.${name}`, `must be a whole number from ${least} to ${most}`);
    return otherwise;
  }

  map(name: string): Record<string, string> {
    const texts = this.entries(name, false).map(
      ([key, value, path]) => [key, this.#text(value, path, {}, true)] as const,
    );
    return Object.fromEntries(texts);
  }

  entries(name: string, required: boolean): [string, unknown, string][] {
    const value = this.take(name);
    const path = `${this.path}.${name}`;
    if (value === undefined && !required) return [];
    if (
      typeof value !== 'object' ||
      value === null ||
      Array.isArray(value) ||
      (required && Object.keys(value).length === 0)
    ) {
      if (this.isObject) this.report(path, `must be an object${required ? ' with at least one entry' : ''}`);
      return [];
    }
    return Object.entries(value).map(([key, each]) => [key, each, `${path}.${key}`]);
  }

  /** After everything was taken: what is left is a slip of the pen. */
  noOthers(): void {
    for (const name of Object.keys(this.#value)) {
      if (this.#known.has(name)) continue;
      const meant = nearestName(name, [...this.#known]);
      this.report(`${this.path}.${name}`, `is not known${meant === null ? '' : `; did you mean "${meant}"?`}`);
    }
  }

  #text(value: unknown, path: string, { pattern, is, allowed }: TextRule, mayBeEmpty = false): string {
    if (allowed && !allowed.includes(value as string)) {
      if (this.isObject) this.report(path, `must be one of ${allowed.join(', ')}`);
    } else if (typeof value !== 'string' || (value === '' && !mayBeEmpty) || value.includes('\0')) {
      if (this.isObject)
        this.report(path, `must be ${is ?? 'a string'}${mayBeEmpty || is ? '' : ' that is not empty'}`);
    } else if (pattern && !pattern.test(value)) {
      this.report(path, `must be ${is}`);
    }
    return typeof value === 'string' ? value : '';
  }
}

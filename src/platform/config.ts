import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { nearestName } from './contracts/nearest-name.ts';
import { ColmeiaError, type Fault } from './errors.ts';
import { Secret } from './secret.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What the environment says, with defaults. Paths are absolute, times in milliseconds, sizes in bytes. */
export type Config = {
  home: string;
  /** Parent of the companies' folders; null = `home`/instances. */
  instancesFolder: string | null;
  /** Address to listen on. */
  host: string;
  /** 0 = any free port. */
  port: number;
  /** Base URL under which other replicas reach this one; null = the address it listens on. */
  advertise: string | null;
  /** PostgreSQL; null = the embedded database in `home`/data. */
  databaseUrl: Secret | null;
  /** The company of work that names none. */
  instance: string;
  /** Where the master key of the secrets comes from, exactly one of these; null = `home`/secrets.key. */
  secretsKey: { value: Secret | null; file: string | null; command: string | null } | null;
  /** File with the master key before that one; null = there is none. */
  secretsOldKeyFile: string | null;
  slaDefaultTimeoutMs: number;
  maxParallelTickets: number;
  /** How tickets are ordered and placed: the preset, or the document that a file holds. */
  scheduling: Record<string, unknown>;
  leaseDurationMs: number;
  heartbeatIntervalMs: number;
  retryBaseMs: number;
  retryMaxMs: number;
  maxPlanTasks: number;
  maxOpenTicketsPerCompany: number;
  maxBodyBytes: number;
  /** The operator's agents; null = `home`/agents.json when there is one. */
  agentsFile: string | null;
  /** Folder of pg_dump and pg_restore, for copies on a server; null = where PATH finds them. */
  postgresBin: string | null;
  /** Where telemetry records are posted to; null = nowhere. */
  telemetryUrl: string | null;
  /** File with the secret that signs them; null = unsigned. */
  telemetrySecretFile: string | null;
  /** Atlassian site of companies that have none of their own, and the user of its token; null = there is none. */
  atlassianSite: string | null;
  atlassianEmail: string | null;
  /** Supabase's Management API. */
  supabaseApiUrl: string;
  /** Slug of the organization for projects of companies that name none; null = they must. */
  supabaseOrganization: string | null;
  /** What companies name may be on this machine or in a private network. */
  privateAddresses: boolean;
  /** OTLP over HTTP; null = no traces. */
  otelEndpoint: string | null;
  logLevel: LogLevel;
  /** `auto`: short lines on a terminal, else JSON. */
  logFormat: 'auto' | 'json' | 'text';
  /** What is odd but no fault; to be logged at the start. */
  warnings: string[];
};

/** What a client needs to reach a server; the CLI reads no more than this. */
export type ClientConfig = {
  home: string;
  address: string | null;
  key: Secret | null;
  /** The company that INSTANCE_NAME names; null = it is not set. */
  instance: string | null;
};

/** Every variable that is read, with its default as docs/configuration.md gives it. */
export const VARIABLES = {
  COLMEIA_HOME: '.colmeia',
  COLMEIA_INSTANCES: '',
  COLMEIA_HOST: '127.0.0.1',
  COLMEIA_PORT: '7420',
  COLMEIA_ADVERTISE: '',
  COLMEIA_ADDRESS: '',
  COLMEIA_KEY: '',
  COLMEIA_AGENTS: '',
  COLMEIA_SECRETS_KEY: '',
  COLMEIA_SECRETS_KEY_FILE: '',
  COLMEIA_SECRETS_KEY_COMMAND: '',
  COLMEIA_SECRETS_KEY_OLD_FILE: '',
  COLMEIA_LEASE_DURATION_MS: '30000',
  COLMEIA_HEARTBEAT_INTERVAL_MS: '10000',
  COLMEIA_SCHEDULING: 'adaptive',
  COLMEIA_RETRY_BASE_MS: '1000',
  COLMEIA_RETRY_MAX_MS: '60000',
  COLMEIA_MAX_PLAN_TASKS: '10000',
  COLMEIA_MAX_OPEN_TICKETS: '100000',
  COLMEIA_MAX_BODY_BYTES: '8388608',
  COLMEIA_PG_BIN: '',
  COLMEIA_TELEMETRY_URL: '',
  COLMEIA_TELEMETRY_SECRET_FILE: '',
  COLMEIA_LOG_FORMAT: 'auto',
  DATABASE_URL: '',
  POSTGRES_HOST: '',
  POSTGRES_PORT: '5432',
  POSTGRES_DATABASE: 'colmeia',
  POSTGRES_USER: 'colmeia',
  POSTGRES_PASSWORD: '',
  SLA_DEFAULT_TIMEOUT_MS: '3600000',
  SCHEDULER_MAX_PARALLEL_TICKETS: '100',
  ATLASSIAN_SITE: '',
  ATLASSIAN_EMAIL: '',
  SUPABASE_API_URL: 'https://api.supabase.com',
  SUPABASE_ORGANIZATION_ID: '',
  COLMEIA_PRIVATE_ADDRESSES: 'refuse',
  OTEL_EXPORTER_ENDPOINT: '',
  LOG_LEVEL: 'INFO',
  INSTANCE_NAME: 'default',
} as const satisfies Record<string, string>;
type Variable = keyof typeof VARIABLES;

/** Read by parts that are no part of the server: scripts, tests and agents' commands. */
const FOREIGN = ['COLMEIA_CACHE'];
const FOREIGN_PREFIXES = ['COLMEIA_TEST_', 'COLMEIA_BENCH_', 'COLMEIA_AGENT_'];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration of the process. Values of `cwd`/.env count where `env` has none; an empty value counts as none.
 * Throws CONFIG_INVALID with every fault at once; the path of a fault is the name of the variable.
 */
export function readConfig(env: Environment, cwd: string): Config {
  const read = new Reader(withDotEnv(env, cwd), cwd);
  const config: Config = {
    home: read.path('COLMEIA_HOME')!,
    instancesFolder: read.path('COLMEIA_INSTANCES'),
    host: read.text('COLMEIA_HOST')!,
    port: read.integer('COLMEIA_PORT', 0, 65_535),
    advertise: read.httpUrl('COLMEIA_ADVERTISE'),
    databaseUrl: databaseUrl(read),
    instance: read.text('INSTANCE_NAME')!,
    secretsKey: secretsKey(read),
    secretsOldKeyFile: read.path('COLMEIA_SECRETS_KEY_OLD_FILE'),
    slaDefaultTimeoutMs: read.integer('SLA_DEFAULT_TIMEOUT_MS', 1),
    maxParallelTickets: read.integer('SCHEDULER_MAX_PARALLEL_TICKETS', 1),
    scheduling: scheduling(read),
    leaseDurationMs: read.integer('COLMEIA_LEASE_DURATION_MS', 100),
    heartbeatIntervalMs: read.integer('COLMEIA_HEARTBEAT_INTERVAL_MS', 50),
    retryBaseMs: read.integer('COLMEIA_RETRY_BASE_MS', 0),
    retryMaxMs: read.integer('COLMEIA_RETRY_MAX_MS', 0),
    maxPlanTasks: read.integer('COLMEIA_MAX_PLAN_TASKS', 1, 1_000_000),
    maxOpenTicketsPerCompany: read.integer('COLMEIA_MAX_OPEN_TICKETS', 1, 10_000_000),
    maxBodyBytes: read.integer('COLMEIA_MAX_BODY_BYTES', 1_024, 1_073_741_824),
    agentsFile: read.path('COLMEIA_AGENTS'),
    postgresBin: read.path('COLMEIA_PG_BIN'),
    telemetryUrl: read.httpUrl('COLMEIA_TELEMETRY_URL'),
    telemetrySecretFile: read.path('COLMEIA_TELEMETRY_SECRET_FILE'),
    atlassianSite: read.httpUrl('ATLASSIAN_SITE'),
    atlassianEmail: read.text('ATLASSIAN_EMAIL'),
    supabaseApiUrl: read.httpUrl('SUPABASE_API_URL')!,
    supabaseOrganization: read.text('SUPABASE_ORGANIZATION_ID'),
    privateAddresses: read.oneOf('COLMEIA_PRIVATE_ADDRESSES', ['refuse', 'allow']) === 'allow',
    otelEndpoint: read.httpUrl('OTEL_EXPORTER_ENDPOINT'),
    logLevel: logLevel(read),
    logFormat: read.oneOf('COLMEIA_LOG_FORMAT', ['auto', 'json', 'text']),
    warnings: [],
  };
  checkTogether(read, config);
  read.unknownNames();
  if (read.faults.length > 0) throw invalid(read.faults);
  return config;
}

/** The same rules for what a client reads; a fault of the server's own variables does not stop a client. */
export function readClientConfig(env: Environment, cwd: string): ClientConfig {
  const read = new Reader(withDotEnv(env, cwd), cwd);
  const key = read.text('COLMEIA_KEY');
  const config = {
    home: read.path('COLMEIA_HOME')!,
    address: read.httpUrl('COLMEIA_ADDRESS'),
    key: key === null ? null : new Secret(key),
    instance: read.isSet('INSTANCE_NAME') ? read.text('INSTANCE_NAME') : null,
  };
  if (read.faults.length > 0) throw invalid(read.faults);
  return config;
}

function invalid(faults: Fault[]): ColmeiaError {
  const many = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  return new ColmeiaError('CONFIG_INVALID', `the configuration has ${many}`, { faults });
}

function withDotEnv(env: Environment, cwd: string): Environment {
  let text: string;
  try {
    text = readFileSync(path.join(cwd, '.env'), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return env;
    throw invalid([{ path: '.env', message: `cannot be read: ${(error as Error).message}` }]);
  }
  const merged: Record<string, string | undefined> = { ...parseEnv(text) };
  for (const [name, value] of Object.entries(env)) if (value !== undefined) merged[name] = value;
  return merged;
}

/** Reads variables and collects faults; after a fault the default stands in, so that all faults are found. */
class Reader {
  readonly faults: Fault[] = [];
  readonly #env: Environment;
  readonly #cwd: string;

  constructor(env: Environment, cwd: string) {
    this.#env = env;
    this.#cwd = cwd;
  }

  isSet(name: Variable): boolean {
    return (this.#env[name] ?? '').trim() !== '';
  }

  fault(name: string, message: string): void {
    this.faults.push({ path: name, message });
  }

  /** null = not set, and without a default. */
  text(name: Variable): string | null {
    const value = (this.#env[name] ?? '').trim();
    return value !== '' ? value : VARIABLES[name] || null;
  }

  path(name: Variable): string | null {
    const value = this.text(name);
    return value === null ? null : path.resolve(this.#cwd, value);
  }

  integer(name: Variable, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.text(name)!;
    const number = /^\d[\d_]*$/.test(value) ? Number(value.replaceAll('_', '')) : Number.NaN;
    if (number >= least && number <= most) return number;
    const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
    this.fault(name, `must be a whole number ${range}, not "${value}"`);
    return Number(VARIABLES[name]);
  }

  oneOf<const T extends string>(name: Variable, allowed: readonly T[]): T {
    const value = this.text(name)!.toLowerCase();
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    this.fault(name, `must be one of ${allowed.join(', ')}${didYouMean(value, allowed)}, not "${value}"`);
    return VARIABLES[name].toLowerCase() as T;
  }

  httpUrl(name: Variable): string | null {
    const value = this.text(name);
    if (value === null) return null;
    const url = URL.parse(value);
    if (url === null || !/^https?:$/.test(url.protocol))
      this.fault(name, 'must be a URL that begins with http:// or https://');
    else if (url.username !== '' || url.password !== '') this.fault(name, 'must not carry a user or password');
    return value.replace(/\/+$/, '');
  }

  /** A misspelt name would be ignored in silence otherwise. */
  unknownNames(): void {
    const known = Object.keys(VARIABLES);
    for (const name of Object.keys(this.#env).toSorted()) {
      if (!name.startsWith('COLMEIA_') || known.includes(name) || FOREIGN.includes(name)) continue;
      if (FOREIGN_PREFIXES.some((prefix) => name.startsWith(prefix))) continue;
      this.fault(name, `is not a variable of Colmeia${didYouMean(name, known)}`);
    }
  }
}

function didYouMean(name: string, candidates: readonly string[]): string {
  const near = nearestName(name, candidates);
  return near === null ? '' : ` (did you mean ${near}?)`;
}

/** DATABASE_URL, or else a URL out of POSTGRES_*, of which POSTGRES_HOST decides. */
function databaseUrl(read: Reader): Secret | null {
  const text = read.text('DATABASE_URL');
  if (text !== null) {
    // The value may hold a password, so no message repeats it.
    const url = URL.parse(text);
    if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
      read.fault('DATABASE_URL', 'must be a URL as in postgresql://user:password@host:5432/database');
    }
    return new Secret(text);
  }
  const host = read.text('POSTGRES_HOST');
  if (host === null) return null;
  const port = read.integer('POSTGRES_PORT', 1, 65_535);
  const user = encodeURIComponent(read.text('POSTGRES_USER')!);
  const password = read.text('POSTGRES_PASSWORD');
  const login = password === null ? user : `${user}:${encodeURIComponent(password)}`;
  // A folder with a Unix socket travels as a parameter; an IPv6 address in brackets.
  const isSocket = host.startsWith('/');
  const authority = isSocket ? '' : host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const database = encodeURIComponent(read.text('POSTGRES_DATABASE')!);
  const url = `postgresql://${login}@${authority || 'localhost'}:${port}/${database}${isSocket ? `?host=${encodeURIComponent(host)}` : ''}`;
  if (URL.parse(url) === null)
    read.fault('POSTGRES_HOST', 'must be a host name, an address or the folder of a Unix socket');
  return new Secret(url);
}

function secretsKey(read: Reader): Config['secretsKey'] {
  const names = ['COLMEIA_SECRETS_KEY', 'COLMEIA_SECRETS_KEY_FILE', 'COLMEIA_SECRETS_KEY_COMMAND'] as const;
  const set = names.filter((name) => read.isSet(name));
  if (set.length > 1) read.fault(set[1]!, `and ${set[0]} are both set; the master key of the secrets is one`);
  if (set.length === 0) {
    if (read.isSet('COLMEIA_SECRETS_KEY_OLD_FILE'))
      read.fault('COLMEIA_SECRETS_KEY_OLD_FILE', `counts only beside ${names.join(', ')}; none of them is set`);
    return null;
  }
  const value = read.text('COLMEIA_SECRETS_KEY');
  return {
    value: value === null ? null : new Secret(value),
    file: read.path('COLMEIA_SECRETS_KEY_FILE'),
    command: read.text('COLMEIA_SECRETS_KEY_COMMAND'),
  };
}

/** A word is the name of a preset; anything with a dot or a slash is a JSON file. */
function scheduling(read: Reader): Record<string, unknown> {
  const said = read.text('COLMEIA_SCHEDULING')!;
  if (!/[./\\]/.test(said)) return { preset: said };
  const file = read.path('COLMEIA_SCHEDULING')!;
  try {
    const document: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof document === 'object' && document !== null && !Array.isArray(document))
      return document as Record<string, unknown>;
    read.fault('COLMEIA_SCHEDULING', `${file} must hold a JSON object`);
  } catch (error) {
    read.fault('COLMEIA_SCHEDULING', `${file} cannot be read: ${(error as Error).message}`);
  }
  return {};
}

const LEVEL_NAMES: Record<string, LogLevel> = { warning: 'warn', critical: 'fatal', off: 'silent', none: 'silent' };

function logLevel(read: Reader): LogLevel {
  const value = read.text('LOG_LEVEL')!.toLowerCase();
  const level = LEVEL_NAMES[value] ?? LOG_LEVELS.find((one) => one === value);
  if (level !== undefined) return level;
  read.fault('LOG_LEVEL', `must be one of ${LOG_LEVELS.join(', ').toUpperCase()}, not "${value}"`);
  return 'info';
}

function checkTogether(read: Reader, config: Config): void {
  if (config.heartbeatIntervalMs >= config.leaseDurationMs) {
    read.fault(
      'COLMEIA_HEARTBEAT_INTERVAL_MS',
      `must be less than COLMEIA_LEASE_DURATION_MS (${config.leaseDurationMs})`,
    );
  }
  if (config.retryMaxMs < config.retryBaseMs) {
    read.fault('COLMEIA_RETRY_MAX_MS', `must not be less than COLMEIA_RETRY_BASE_MS (${config.retryBaseMs})`);
  }
  if (config.maxOpenTicketsPerCompany < config.maxPlanTasks) {
    if (read.isSet('COLMEIA_MAX_OPEN_TICKETS'))
      read.fault(
        'COLMEIA_MAX_OPEN_TICKETS',
        `must not be less than COLMEIA_MAX_PLAN_TASKS (${config.maxPlanTasks}), or such a plan would never be taken`,
      );
    else config.maxOpenTicketsPerCompany = config.maxPlanTasks;
  }
  if (!/^[a-z0-9][a-z0-9_-]{0,62}$/i.test(config.instance)) {
    read.fault('INSTANCE_NAME', 'must begin with a letter or digit, then letters, digits, _ and -, 63 at most');
  }
  if (config.telemetrySecretFile !== null && config.telemetryUrl === null) {
    read.fault('COLMEIA_TELEMETRY_SECRET_FILE', 'signs what is sent to COLMEIA_TELEMETRY_URL, which is not set');
  }
  const unused = (['POSTGRES_PORT', 'POSTGRES_DATABASE', 'POSTGRES_USER', 'POSTGRES_PASSWORD'] as const).filter(
    (name) => read.isSet(name),
  );
  if (config.databaseUrl === null && unused.length > 0) {
    config.warnings.push(
      `${unused.join(', ')} count only with POSTGRES_HOST, which is not set: using the embedded database`,
    );
  }
  if (read.isSet('DATABASE_URL') && read.isSet('POSTGRES_HOST')) {
    config.warnings.push('DATABASE_URL and POSTGRES_HOST are both set: DATABASE_URL counts');
  }
}

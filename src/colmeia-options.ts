import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { SharedAccounts } from './coordination/instances/outside-sites.ts';
import { TICKET_POLICY } from './execution/plans/generate-tickets.ts';
import type { FlowPolicy } from './execution/plans/prepare-decision.ts';
import { readSchedulingConfig } from './execution/swarm/scheduling-config.ts';
import type { Clock, Random } from './platform/clock.ts';
import type { Config } from './platform/config.ts';
import { ColmeiaError, isColmeiaError } from './platform/errors.ts';
import type { Secret } from './platform/secret.ts';
import { parseMasterKey, type MasterKeySource } from './trust/secrets/master-key.ts';
import { givenKey, keyInFile, keyInMemory, readKeyFile, runKeyCommand } from './trust/secrets/master-key-sources.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Where the process says what happens to itself; never carries secrets. */
export type LogLine = (level: LogLevel, data: Record<string, unknown>, message: string) => void;

/** All are optional: without any, an embedded database in memory that ends with the process. Times in ms. */
export type ColmeiaOptions = {
  /** PostgreSQL 15+; null = the embedded database. Default null. */
  databaseUrl?: string | null;
  /** Folder of the embedded database; null = in memory. Default null. */
  dataFolder?: string | null;
  /** Parent folder of the companies' files; null = companies have none. Default null. */
  instancesFolder?: string | null;
  /** Outside accounts that companies share. Default: none. */
  accounts?: Partial<SharedAccounts>;
  /** Where exports of companies lie. Default `exports` beside the parent folder of the companies' files; null = nowhere. */
  exportsFolder?: string | null;
  /** Folder of pg_dump and pg_restore, by which companies on a server are copied; null = where PATH finds them. Default null. */
  postgresBin?: string | null;
  /** Address the replicas of one database listen on for each other. Default 127.0.0.1. */
  host?: string;
  /** Base URL under which other replicas reach this one; null = host and a free port. Default null. */
  advertise?: string | null;
  /** Company of work that names none. Default `default`. */
  defaultInstance?: string;
  /**
   * Colmeia's own file with the master key of the secrets, made at the first need. Default: `secrets.key` beside the data
   * folder; in memory for a store in memory.
   */
  secretsKeyFile?: string | null;
  /** Gives the master key (32 bytes) in place of a file of Colmeia's own; asked at the first need. */
  secretsKey?: () => Promise<Buffer>;
  /** The master key before that one, while data keys are still wrapped with it; null = there is none. */
  secretsOldKey?: () => Promise<Buffer | null>;
  /** How long a lease lasts without a heartbeat. Default 30,000. */
  leaseDurationMs?: number;
  /** What agents are told about their own heartbeat. Default 10,000. */
  heartbeatIntervalMs?: number;
  /** Tickets that have not come to an end, of one company, before its decisions are refused. Default 100,000. */
  maxOpenTicketsPerCompany?: number;
  /** How tickets are ordered and placed, see docs/scheduling.md; a policy that was set at run time counts instead. Default: the preset adaptive. */
  scheduling?: Record<string, unknown>;
  /** Tickets that run at once in this process, at most. Default 100. */
  maxParallelTickets?: number;
  /** C1 and C2: limits, timeouts, retries. */
  policy?: Partial<FlowPolicy>;
  telemetry?: { url: string; secret: string | null } | null;
  /** OTLP over HTTP; null = no traces. */
  otelEndpoint?: string | null;
  clock?: Clock;
  random?: Random;
  log?: LogLine;
  /** Log lines of level `debug` are wanted, one for each plan and lease. Default false. */
  debug?: boolean;
};

export const DEFAULT_POLICY: FlowPolicy = {
  tickets: TICKET_POLICY,
  backoff: { baseMs: 1_000, maxMs: 60_000, quotaMs: 30_000 },
  stopGraceMs: 30_000,
  caps: {},
};

/** The options that the environment stands for. */
export function optionsOf(config: Config, dataFolder: string): ColmeiaOptions {
  const { telemetryUrl, telemetrySecretFile } = config;
  return {
    databaseUrl: config.databaseUrl?.reveal() ?? null,
    dataFolder,
    instancesFolder: config.instancesFolder ?? path.join(config.home, 'instances'),
    exportsFolder: path.join(config.home, 'exports'),
    accounts: {
      atlassianSite: config.atlassianSite,
      atlassianEmail: config.atlassianEmail,
      supabaseApiUrl: config.supabaseApiUrl,
      supabaseOrganization: config.supabaseOrganization,
      privateAddresses: config.privateAddresses,
    },
    postgresBin: config.postgresBin,
    host: config.host,
    advertise: config.advertise,
    defaultInstance: config.instance,
    ...secretsKeyOf(config),
    leaseDurationMs: config.leaseDurationMs,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    maxOpenTicketsPerCompany: config.maxOpenTicketsPerCompany,
    scheduling: schedulingOf(config),
    maxParallelTickets: config.maxParallelTickets,
    policy: {
      tickets: { ...TICKET_POLICY, defaultTimeoutMs: config.slaDefaultTimeoutMs },
      backoff: { baseMs: config.retryBaseMs, maxMs: config.retryMaxMs, quotaMs: DEFAULT_POLICY.backoff.quotaMs },
      caps: { maxTasks: config.maxPlanTasks, maxBytes: config.maxBodyBytes },
    },
    telemetry:
      telemetryUrl === null
        ? null
        : {
            url: telemetryUrl,
            secret: telemetrySecretFile === null ? null : readFileSync(telemetrySecretFile, 'utf8').trim(),
          },
    otelEndpoint: config.otelEndpoint,
    debug: config.logLevel === 'debug' || config.logLevel === 'trace',
  };
}

function secretsKeyOf({ home, secretsKey, secretsOldKeyFile }: Config): Partial<ColmeiaOptions> {
  if (secretsKey === null) return { secretsKeyFile: path.join(home, 'secrets.key') };
  const { value, file, command } = secretsKey;
  const given = value === null ? null : keyOfVariable(value);
  return {
    secretsKey: async () => given ?? (file === null ? runKeyCommand(command!) : readKeyFile(file)),
    secretsOldKey: async () => (secretsOldKeyFile === null ? null : readKeyFile(secretsOldKeyFile)),
  };
}

/** Its form is known at the start, unlike that of a file or of what a command prints. */
function keyOfVariable(value: Secret): Buffer {
  try {
    return parseMasterKey(value.reveal(), 'COLMEIA_SECRETS_KEY');
  } catch (error) {
    const faults = [{ path: 'COLMEIA_SECRETS_KEY', message: (error as Error).message }];
    throw new ColmeiaError('CONFIG_INVALID', 'the configuration has 1 fault', { faults });
  }
}

/** Where exports of companies lie; null = nowhere. */
export function exportsFolderOf({ exportsFolder, instancesFolder = null }: ColmeiaOptions): string | null {
  if (exportsFolder !== undefined) return exportsFolder;
  return instancesFolder === null ? null : path.join(path.dirname(instancesFolder), 'exports');
}

/** For what lies on disk while an operation on a company runs: beside the exports or the data, else where the system keeps such. */
export function workFolderOf({ exportsFolder, instancesFolder, dataFolder }: ColmeiaOptions): string {
  const beside = exportsFolder ?? instancesFolder ?? dataFolder ?? null;
  return beside === null
    ? path.join(os.tmpdir(), `colmeia-${process.pid}`)
    : path.join(path.dirname(beside), 'operations');
}

/** Where the master key of the secrets comes from. */
export function masterKeySourceOf(options: ColmeiaOptions): MasterKeySource {
  const { secretsKey, secretsOldKey, secretsKeyFile, dataFolder = null, databaseUrl = null } = options;
  if (secretsKey !== undefined) return givenKey(secretsKey, secretsOldKey);
  if (secretsKeyFile) return keyInFile(secretsKeyFile);
  if (dataFolder !== null) return keyInFile(path.join(path.dirname(dataFolder), 'secrets.key'));
  if (databaseUrl === null) return keyInMemory();
  return givenKey(async () => {
    throw new ColmeiaError('SECRETS_LOCKED', 'there is no master key: give secretsKey or secretsKeyFile');
  });
}

/** The policy of the environment; its faults are those of the variable. */
function schedulingOf({ scheduling }: Config): Record<string, unknown> {
  try {
    return readSchedulingConfig(scheduling).document;
  } catch (error) {
    if (!isColmeiaError(error, 'INVALID_POLICY')) throw error;
    const faults = error.faults.map(({ path, message }) => ({
      path: 'COLMEIA_SCHEDULING',
      message: `${path} ${message}`,
    }));
    const many = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
    throw new ColmeiaError('CONFIG_INVALID', `the configuration has ${many}`, { faults });
  }
}

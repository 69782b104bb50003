import type { AgentRegistration, ErrorClass } from './agent-transport.ts';
import type { Isolation } from './process-isolation.ts';

/** What both kinds of configured agents say. Times in ms. */
type ConfiguredAgent = Required<
  Pick<AgentRegistration, 'agent_id' | 'task_types' | 'capabilities' | 'concurrency' | 'labels'>
> &
  Pick<AgentRegistration, 'region' | 'version'>;

export type CommandConfig = {
  /** Never through a shell. `{node}`, `{folder}` (of agents.json) and `{home}` are replaced, nothing else. */
  argv: string[];
  /** Longest run; the ticket's own limit may be shorter. Default: that of the agent. */
  timeout_ms: number;
};

/** Runs operator-configured commands. */
export type ProcessAgentConfig = ConfiguredAgent & {
  kind: 'process';
  commands: Record<string, CommandConfig>;
  /** What names the command: the ticket's task type, or a parameter. A COMPENSATE ticket is named by its `action` where there is one. */
  choose_by: 'task_type' | { parameter: string };
  /** Whose working folder: shared by the tickets of a plan (default), or of a company, or new for each run. */
  work_folder: 'plan' | 'company' | 'run';
  /** Absolute. Default: `work` in COLMEIA_HOME. */
  work_root: string | null;
  /** Days a plan's folder is kept after its last run. Default 7. */
  keep_days: number;
  /** Names of variables that commands may see, besides PATH and LANG. */
  env: string[];
  /** Default 3,600,000. */
  timeout_ms: number;
  /** Between SIGTERM and SIGKILL. Default 2,000. */
  stop_grace_ms: number;
  /** How long a command may go on while there is no control plane. Default 600,000. */
  orphan_ms: number;
  /** Bytes kept of each output stream, and the most an output file may have. Default 1 MiB. */
  keep_bytes: number;
  /** Error classes by exit code, over EXIT_CLASSES. */
  exit_classes: Record<string, ErrorClass>;
  /**
   * How far commands are shut in, where the machine can; it is said once in the log where it cannot. Default `files`: COLMEIA_HOME
   * and the folders of other companies and plans are out of sight. `processes`: they only do not see other processes.
   */
  isolate: Isolation;
  /** Further folders and files that commands must not see, such as a `.env`. */
  hidden: string[];
  /** Folders within COLMEIA_HOME that commands may see and change, besides those named in their argv. `{home}` is replaced. Made when missing. */
  visible: string[];
};

/** Posts tickets to an endpoint. */
export type HttpAgentConfig = ConfiguredAgent & {
  kind: 'http';
  endpoint: string;
  /** Key of the signature: a file (relative to agents.json) or the name of a variable; null = unsigned. */
  secret: { file: string } | { env: string } | null;
  /** Further headers, none of them secret. */
  headers: Record<string, string>;
  /** For the whole call with its repeats; the ticket's own limit may be shorter. Default 60,000. */
  timeout_ms: number;
  /** Repeats within one attempt after a lost connection or 502, 503, 504. Default 2. */
  retries: number;
  /** Default 1 MiB. */
  max_response_bytes: number;
};

/** Hands tickets to another Colmeia when nobody else can take them; its label `last_resort` is always "true". */
export type ClusterAgentConfig = ConfiguredAgent & {
  kind: 'http';
  colmeia: {
    /** Base URL. */
    address: string;
    /** File with the bearer key, relative to agents.json. */
    key_file: string;
    /** Company there; null = the one of the same name. */
    instance: string | null;
    /** Most diversions of one ticket, this one included. Default 1: what came from a cluster goes to no other. */
    max_hops: number;
    /** How long the other cluster may be away while a ticket is there, before the attempt is given up. Default 60,000. */
    unreachable_ms: number;
  };
};

export type AgentConfig = { agents: (ProcessAgentConfig | HttpAgentConfig | ClusterAgentConfig)[]; folder: string };

/** Source: sysexits.h (65 EX_DATAERR, 64 EX_USAGE, 75 EX_TEMPFAIL, 77 EX_NOPERM); 126 and 127: sh(1). Any other code is transient. */
export const EXIT_CLASSES: Readonly<Record<string, ErrorClass>> = {
  64: 'poison',
  65: 'poison',
  75: 'transient',
  77: 'auth',
  126: 'poison',
  127: 'poison',
};

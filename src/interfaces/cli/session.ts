import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readClientConfig } from '../../platform/config.ts';
import { isColmeiaError } from '../../platform/errors.ts';
import { Secret } from '../../platform/secret.ts';
import { CliError, EXIT } from './cli-error.ts';
import { Client, type Transport } from './client.ts';
import { HttpTransport, listens } from './http-transport.ts';
import { readSelectedCompany } from './selected-company.ts';
import { type Column, formatTable } from './table.ts';

export type CliOutput = { write(text: string): unknown; isTTY?: boolean; columns?: number; rows?: number };

/** What a run of the CLI has of the world, so that tests can give it another one. */
export type CliWorld = {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  stdin: AsyncIterable<Buffer | string>;
  stdout: CliOutput;
  stderr: CliOutput;
  /** Aborted when the user interrupts. */
  signal: AbortSignal;
};

export type GlobalOptions = { json?: boolean; address?: string; keyFile?: string; home?: string; instance?: string };

/** A company, and what named it. */
export type Selection = { name: string; by: '--instance' | 'INSTANCE_NAME' | 'instance select' };

export type SessionOptions = {
  /** The command goes without a server too: then it opens the control plane of the home by itself. */
  worksAlone: boolean;
  /** A client of several commands, which somebody else closes; null = it makes its own. */
  shared: Client | null;
};

/** Names no company: lists show all of them, secrets are the fleet's. No company can have this name. */
const ALL = 'all';
const FIRST_COMPANY = 'default';
/** How long a command waits for another one that has the data folder open. */
const LOCKED_MS = 15_000;
const LOCKED_LOOK_MS = 200;

/** One run of a command: where to call, for which company, and how to print. */
export class Session {
  readonly world: CliWorld;
  readonly options: GlobalOptions;
  readonly #more: SessionOptions;
  #client: Promise<Client> | null = null;

  constructor(world: CliWorld, options: GlobalOptions, more: SessionOptions = { worksAlone: false, shared: null }) {
    this.world = world;
    this.options = options;
    this.#more = more;
  }

  get json(): boolean {
    return this.options.json === true;
  }

  get home(): string {
    return this.options.home === undefined ? this.#config().home : path.resolve(this.world.cwd, this.options.home);
  }

  client(): Promise<Client> {
    return (this.#client ??=
      this.#more.shared === null
        ? this.#transport().then((transport) => new Client(transport))
        : Promise.resolve(this.#more.shared));
  }

  /** The company that is meant when a command names none; null = none is selected, or `all`. */
  async selection(): Promise<Selection | null> {
    const selection = await this.#selection();
    return selection?.name === ALL ? null : selection;
  }

  /** Its name, as a value of a query. */
  async company(): Promise<string | undefined> {
    return (await this.selection())?.name;
  }

  /** The company of an argument that may be left out: the selected one, else the first of the fleet. */
  async companyNamed(name: string | undefined): Promise<string> {
    return name ?? (await this.company()) ?? FIRST_COMPANY;
  }

  /** Address and key of the server, as options, environment or the files of COLMEIA_HOME name them, in this order. */
  async target(): Promise<{ address: string; key: Secret | null }> {
    const address = this.#givenAddress() ?? (await this.#readHome('address', '--address or COLMEIA_ADDRESS'));
    const url = URL.parse(address);
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new CliError(EXIT.usage, `the address "${address}" is not an http(s) URL`);
    return { address: address.replace(/\/+$/, ''), key: await this.#keyFor(address) };
  }

  /** Standard output: the document with --json, else the text. */
  print(document: unknown, text: () => string): void {
    this.world.stdout.write(this.json ? `${JSON.stringify(document, null, 2)}\n` : text());
  }

  /** One line of NDJSON with --json, else the text. */
  printLine(document: unknown, text: () => string): void {
    this.world.stdout.write(this.json ? `${JSON.stringify(document)}\n` : `${text()}\n`);
  }

  note(text: string): void {
    if (!this.json) this.world.stderr.write(`${text}\n`);
  }

  table<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
    const { stdout } = this.world;
    return formatTable(rows, columns, stdout.isTTY ? (stdout.columns ?? 80) : null);
  }

  /** What was not found may be another company's than the selected one's: the error then says so. */
  async explain(error: unknown): Promise<unknown> {
    if (!(error instanceof CliError) || error.exit !== EXIT.notFound) return error;
    const selection = await this.selection();
    if (selection === null || selection.by === '--instance') return error;
    const message = `${error.message}; company ${selection.name} is selected (${selection.by}), --instance all looks everywhere`;
    return new CliError(error.exit, message, { code: error.code, faults: error.faults, cause: error });
  }

  async close(): Promise<void> {
    if (this.#more.shared !== null || this.#client === null) return;
    const client = await this.#client.catch(() => null); // its failure was told when it was asked for
    await client?.close();
  }

  async #selection(): Promise<Selection | null> {
    const { instance } = this.options;
    if (instance !== undefined) return { name: instance, by: '--instance' };
    const config = this.#config();
    if (config.instance !== null) return { name: config.instance, by: 'INSTANCE_NAME' };
    const name = await readSelectedCompany(this.home);
    return name === null ? null : { name, by: 'instance select' };
  }

  /** A server, when an address is given or one runs at this home; else the control plane of the home, where the command goes alone. */
  async #transport(): Promise<Transport> {
    if (!this.#more.worksAlone || this.#givenAddress() !== null) return this.#server();
    const { openOwnTransport } = await import('./own-transport.ts');
    const until = performance.now() + LOCKED_MS;
    for (;;) {
      const address = await this.#homeAddress();
      if (address !== '' && (await listens(address))) return this.#server();
      try {
        await this.#noteNewHome();
        return await openOwnTransport(this.world, this.home, await this.#givenKey());
      } catch (error) {
        const isLocked = isColmeiaError(error, 'DATA_FOLDER_LOCKED');
        if (!isLocked || performance.now() > until) throw asCliError(error);
        await sleep(LOCKED_LOOK_MS, undefined, { signal: this.world.signal });
      }
    }
  }

  /** Whoever is in the wrong folder sees it. */
  async #noteNewHome(): Promise<void> {
    const { home } = this;
    await fs.access(home).catch(() => this.note(`A new Colmeia begins in ${home}.`));
  }

  async #server(): Promise<Transport> {
    const { address, key } = await this.target();
    return new HttpTransport(address, key);
  }

  #givenAddress(): string | null {
    return this.options.address ?? this.#config().address;
  }

  async #keyFor(address: string): Promise<Secret | null> {
    const given = await this.#givenKey();
    if (given !== null) return given;
    // This home's key is not for a server elsewhere.
    const isHome = (await this.#homeAddress()) === address.replace(/\/+$/, '');
    if (!isLocal(address) && !isHome) return null;
    return new Secret(await this.#readHome('operator.key', '--key-file or COLMEIA_KEY'));
  }

  async #givenKey(): Promise<Secret | null> {
    if (this.options.keyFile === undefined) return this.#config().key;
    const file = path.resolve(this.world.cwd, this.options.keyFile);
    try {
      return new Secret((await fs.readFile(file, 'utf8')).trim());
    } catch (cause) {
      throw new CliError(EXIT.usage, `--key-file ${file}: ${reason(cause)}`, { cause });
    }
  }

  /** '' = no server of this home said where it is. */
  async #homeAddress(): Promise<string> {
    const own = await fs.readFile(path.join(this.home, 'address'), 'utf8').catch(() => '');
    return own.trim().replace(/\/+$/, '');
  }

  async #readHome(file: string, instead: string): Promise<string> {
    try {
      return (await fs.readFile(path.join(this.home, file), 'utf8')).trim();
    } catch (cause) {
      throw new CliError(
        EXIT.unavailable,
        `no "${file}" in ${this.home} (${reason(cause)}). \`colmeia serve\` starts a server; ${instead} names another one`,
        { cause },
      );
    }
  }

  #config() {
    try {
      return readClientConfig(this.world.env, this.world.cwd);
    } catch (error) {
      throw asCliError(error);
    }
  }
}

function isLocal(address: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(URL.parse(address)?.hostname ?? '');
}

function asCliError(error: unknown): unknown {
  if (!isColmeiaError(error)) return error;
  const exit = {
    CONFIG_INVALID: EXIT.usage,
    DATA_FOLDER_LOCKED: EXIT.unavailable,
    STORE_UNAVAILABLE: EXIT.unavailable,
  };
  const { code, faults, message } = error;
  return new CliError(exit[code as keyof typeof exit] ?? EXIT.failed, message, { code, faults, cause: error });
}

export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return { ENOENT: 'it does not exist', EACCES: 'it may not be read', EISDIR: 'it is a folder' }[code ?? ''] ?? message;
}

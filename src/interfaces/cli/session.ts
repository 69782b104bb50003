import fs from 'node:fs/promises';
import path from 'node:path';
import { readClientConfig } from '../../platform/config.ts';
import { isColmeiaError } from '../../platform/errors.ts';
import { Secret } from '../../platform/secret.ts';
import { CliError, EXIT } from './cli-error.ts';
import { Client } from './client.ts';
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

export type GlobalOptions = { json?: boolean; address?: string; keyFile?: string; home?: string };

/** One run of a command: where to call, and how to print. */
export class Session {
  readonly world: CliWorld;
  readonly options: GlobalOptions;
  #client: Client | null = null;

  constructor(world: CliWorld, options: GlobalOptions) {
    this.world = world;
    this.options = options;
  }

  get json(): boolean {
    return this.options.json === true;
  }

  get home(): string {
    return this.options.home === undefined ? this.#config().home : path.resolve(this.world.cwd, this.options.home);
  }

  async client(): Promise<Client> {
    if (this.#client !== null) return this.#client;
    const { address, key } = await this.target();
    this.#client = new Client(address, key);
    return this.#client;
  }

  /** Address and key of the server, as options, environment or the files of COLMEIA_HOME name them, in this order. */
  async target(): Promise<{ address: string; key: Secret | null }> {
    const config = this.#config();
    const address =
      this.options.address ?? config.address ?? (await this.#readHome('address', '--address or COLMEIA_ADDRESS'));
    const url = URL.parse(address);
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new CliError(EXIT.usage, `the address "${address}" is not an http(s) URL`);
    return { address: address.replace(/\/+$/, ''), key: await this.#key(address, config.key) };
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

  close(): void {
    this.#client?.close();
  }

  async #key(address: string, fromEnvironment: Secret | null): Promise<Secret | null> {
    if (this.options.keyFile !== undefined) {
      const file = path.resolve(this.world.cwd, this.options.keyFile);
      try {
        return new Secret((await fs.readFile(file, 'utf8')).trim());
      } catch (cause) {
        throw new CliError(EXIT.usage, `--key-file ${file}: ${reason(cause)}`, { cause });
      }
    }
    if (fromEnvironment !== null) return fromEnvironment;
    // This home's key is not for a server elsewhere.
    if (!isLocal(address) && !(await this.#isHomeAddress(address))) return null;
    return new Secret(await this.#readHome('operator.key', '--key-file or COLMEIA_KEY'));
  }

  async #isHomeAddress(address: string): Promise<boolean> {
    const own = await fs.readFile(path.join(this.home, 'address'), 'utf8').catch(() => '');
    return own.trim().replace(/\/+$/, '') === address.replace(/\/+$/, '');
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
      if (isColmeiaError(error))
        throw new CliError(EXIT.usage, error.message, { code: error.code, faults: error.faults, cause: error });
      throw error;
    }
  }
}

function isLocal(address: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(URL.parse(address)?.hostname ?? '');
}

export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return { ENOENT: 'it does not exist', EACCES: 'it may not be read', EISDIR: 'it is a folder' }[code ?? ''] ?? message;
}

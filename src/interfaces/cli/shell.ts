import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import readline from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { InstanceView } from '../../coordination/instances/instance-views.ts';
import { CliError, EXIT, type ExitCode } from './cli-error.ts';
import type { Client } from './client.ts';
import { pathOfCompany } from './paths.ts';
import { isTerminal } from './read-secret.ts';
import { readSelectedCompany } from './selected-company.ts';
import type { CliWorld, Session } from './session.ts';
import { splitLine } from './split-line.ts';

const HISTORY_LINES = 500;
/** Lines about these are not kept: what was typed there by mistake may be a secret. */
const UNKEPT = new Set(['secrets', 'keys']);
const ENDS = new Set(['exit', 'quit']);

/** Commands at a prompt, on one client for all of them, until `exit` or the end of the input. */
export class Shell {
  readonly #session: Session;
  readonly #words: ReadonlyMap<string, readonly string[]>;
  /** What --instance or INSTANCE_NAME said; `instance select` in the shell counts more. null = nothing. */
  #named: string | null = null;
  /** The newest first. */
  #history: string[] = [];
  #running: AbortController | null = null;

  /** `words`: what may follow a command, for completion. */
  constructor(session: Session, words: ReadonlyMap<string, readonly string[]>) {
    this.#session = session;
    this.#words = words;
  }

  async run(): Promise<ExitCode> {
    const { world, options } = this.#session;
    const client = await this.#session.client();
    const selection = await this.#session.selection();
    this.#named = options.instance ?? (selection?.by === 'INSTANCE_NAME' ? selection.name : null);
    if (!isTerminal(world.stdin)) return this.#runScript(client);
    this.#history = await this.#readHistory();
    // A Ctrl-C ends the command at work, and not the shell as it would end any other command.
    const others = process.listeners('SIGINT');
    process.removeAllListeners('SIGINT');
    const interrupt = (): void => this.#running?.abort();
    process.on('SIGINT', interrupt);
    try {
      while (!world.signal.aborted) {
        const line = await this.#ask(await this.#prompt(client));
        if (line === null || ENDS.has(line.trim())) break;
        await this.#keep(line);
        await this.#do(line, client);
      }
    } finally {
      process.off('SIGINT', interrupt);
      for (const other of others) process.on('SIGINT', other);
    }
    return EXIT.ok;
  }

  /** Lines that are piped in: one after the other, up to the first that fails. */
  async #runScript(client: Client): Promise<ExitCode> {
    const { stdin, signal } = this.#session.world;
    const reader = readline.createInterface({ input: stdin as Readable });
    for await (const line of reader) {
      if (signal.aborted || ENDS.has(line.trim())) break;
      const exit = await this.#do(line, client);
      if (exit !== EXIT.ok) return exit;
    }
    return EXIT.ok;
  }

  async #do(line: string, client: Client): Promise<ExitCode> {
    const { world } = this.#session;
    const words = splitLine(line);
    if (words === null) return this.#refuse('a quote is open');
    const args = words[0] === 'colmeia' ? words.slice(1) : words;
    if (args.length === 0 || args[0]!.startsWith('#')) return EXIT.ok;
    if (args[0] === 'shell') return this.#refuse('this is the shell already');
    const selects = /^instances?$/.test(args[0]!) && args[1] === 'select' && args.length > 2;
    if (selects) this.#named = null;
    this.#running = new AbortController();
    const { runCli } = await import('./program.ts');
    try {
      const env = { ...world.env, COLMEIA_HOME: this.#session.home, INSTANCE_NAME: this.#named ?? '' };
      const inner: CliWorld = { ...world, env, signal: this.#running.signal };
      return await runCli(args[0] === 'help' ? ['--help'] : args, inner, client);
    } finally {
      this.#running = null;
    }
  }

  #refuse(why: string): ExitCode {
    this.#session.note(`colmeia: ${why}`);
    return EXIT.usage;
  }

  /** `colmeia acme> `; its state when it is not active. */
  async #prompt(client: Client): Promise<string> {
    const name = this.#named ?? (await readSelectedCompany(this.#session.home));
    if (name === null || name === 'all') return 'colmeia> ';
    const state = await client.get<InstanceView>(pathOfCompany(name)).then(
      (company) => company.state,
      (error: unknown) => (error instanceof CliError && error.exit === EXIT.notFound ? 'not found' : 'not reachable'),
    );
    return state === 'active' ? `colmeia ${name}> ` : `colmeia ${name} (${state})> `;
  }

  /** null = the end of the input. Each line has a reader of its own, so that commands may read the terminal. */
  #ask(prompt: string): Promise<string | null> {
    const { stdin, stdout, signal } = this.#session.world;
    const reader = readline.createInterface({
      signal,
      input: stdin as Readable,
      output: stdout as unknown as Writable,
      prompt,
      terminal: true,
      history: [...this.#history],
      historySize: HISTORY_LINES,
      completer: (line: string) => this.#complete(line),
    });
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const end = (line: string | null): void => {
      resolve(line);
      reader.close();
    };
    reader.on('line', end);
    reader.on('SIGINT', () => {
      stdout.write('\n');
      end('');
    });
    reader.on('close', () => resolve(null));
    reader.prompt();
    return promise;
  }

  #complete(line: string): [string[], string] {
    const words = line.trimStart().split(/\s+/);
    const last = words.pop() ?? '';
    const path = words.filter((word) => !word.startsWith('-'));
    const next = this.#words.get(path.slice(0, 2).join(' ')) ?? this.#words.get(path[0] ?? '') ?? [];
    const found = next.filter((word) => word.startsWith(last));
    return [found.map((word) => `${word} `), last];
  }

  get #historyFile(): string {
    return path.join(this.#session.home, 'shell_history');
  }

  async #readHistory(): Promise<string[]> {
    const text = await fs.readFile(this.#historyFile, 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.slice(-HISTORY_LINES).toReversed();
  }

  async #keep(line: string): Promise<void> {
    const text = line.trim();
    const [first = ''] = text.replace(/^colmeia\s+/, '').split(/\s+/);
    if (text === '' || text === this.#history[0] || UNKEPT.has(first)) return;
    this.#history = [text, ...this.#history].slice(0, HISTORY_LINES);
    const kept = `${this.#history.toReversed().join('\n')}\n`;
    // The history is a convenience: that it cannot be kept stops nothing.
    await fs.writeFile(this.#historyFile, kept, { mode: 0o600 }).catch(() => {});
  }
}

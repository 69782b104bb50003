import { parseSecretReference, secretReference } from '../../../trust/secrets/secret-reference.ts';
import type { EnvEntry } from './env-file.ts';

/** A secret in a file: where, under which name it is or will be stored. `value` only where it stands as plain text. */
export type FoundSecret = { at: readonly (string | number)[]; name: string; value: string | null };

/** Names of secrets within a file: a name is given once for one value. */
class Names {
  readonly #values = new Map<string, string>();

  take(wanted: string, value: string): string {
    for (let n = 1; ; n++) {
      const name = n === 1 ? wanted : `${wanted.slice(0, 60)}_${n}`;
      const known = this.#values.get(name);
      if (known !== undefined && known !== value) continue;
      this.#values.set(name, value);
      return name;
    }
  }
}

/** The secrets and references of a `.env` file. Of a doubled variable the last value is stored. */
export function secretsOfEnv(entries: readonly EnvEntry[]): FoundSecret[] {
  const last = new Map(entries.map((entry) => [entry.name, entry]));
  const names = new Names();
  return [...last.values()].flatMap(({ name: variable, value }): FoundSecret[] => {
    const referred = parseSecretReference(value);
    if (referred !== null) return [{ at: [variable], name: referred, value: null }];
    if (!isPlainSecret(variable, value)) return [];
    return [{ at: [variable], name: names.take(secretNameFor(variable), value), value }];
  });
}

/** What stands before the path of a field in the name of its secret. */
const PREFIXES: Record<string, string> = { 'supabase.config.json': 'supabase_', 'atlassian.config.json': 'atlassian_' };

/**
 * The secrets and references of a JSON file, and the same value with a reference in the place of each plain secret: what
 * goes on from here holds none.
 */
export function takeSecrets(file: string, value: unknown): { value: unknown; found: FoundSecret[] } {
  const found: FoundSecret[] = [];
  const names = new Names();
  const prefix = PREFIXES[file] ?? '';
  const visit = (node: unknown, at: readonly (string | number)[]): unknown => {
    if (Array.isArray(node)) return node.map((item, index) => visit(item, [...at, index]));
    if (typeof node === 'object' && node !== null)
      return Object.fromEntries(Object.entries(node).map(([key, field]) => [key, visit(field, [...at, key])]));
    if (typeof node !== 'string') return node;
    const referred = parseSecretReference(node);
    const key = String(at.findLast((step) => typeof step === 'string') ?? '');
    const isSecret = isPlainSecret(at[0] === 'database' ? `database_${key}` : key, node);
    if (referred === null && !isSecret) return node;
    const name = referred ?? names.take(secretNameFor(prefix + pathName(at)), node);
    found.push({ at, name, value: referred === null ? node : null });
    return secretReference(name);
  };
  return { value: visit(value, []), found };
}

/** `mcpServers.github.env.TOKEN` → `mcp_github_token`. */
function pathName(at: readonly (string | number)[]): string {
  if (at[0] !== 'mcpServers') return at.join('_');
  const [, server, part, ...rest] = at;
  return ['mcp', server, ...(part === 'env' || part === 'headers' ? [] : [part]), ...rest].join('_');
}

/** The name under which a plain secret is stored: that of its variable or field, in lower case. */
function secretNameFor(variable: string): string {
  const name = variable
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+/, '');
  return (name || 'secret').slice(0, 63);
}

const SECRET_NAME =
  /(^|[_-])(key|token|secret|password|passwd|pwd|credential|credentials|authorization|dsn)$|^database[_-]url$|apikey$/i;
const PUBLIC_NAME = /(^|[_-])(public|publishable|project|space|issue)[_-]?key$/i;
/** Forms that vendors give their secrets, a password in a URL or an option, a private key, a signed token. */
const SECRET_VALUES = [
  /(^|[^A-Za-z0-9])(sbp_|sb_secret_|ATATT|gh[pousr]_|github_pat_|glpat-|sk[-_]|rk_|xox[abprs]-|AKIA|AIza|npm_|colmeia_|hf_|shpat_)[\w-]{8}/,
  /(^|[^A-Za-z0-9])eyJ[\w-]{8,}\.[\w-]+\./,
  /-----BEGIN [A-Z ]*PRIVATE KEY/,
  /[a-z][a-z0-9+.-]*:\/\/[^\s/@]*:[^\s/@]+@/i,
  /^(bearer|basic) \S{8}/i,
  /^--?[\w-]*(key|token|secret|password)=\S/i,
];

/** True for a value that should be in the encrypted store, by its own form or by the name it has. References are none. */
function isPlainSecret(name: string, value: string): boolean {
  if (value === '' || parseSecretReference(value) !== null) return false;
  return (SECRET_NAME.test(name) && !PUBLIC_NAME.test(name)) || SECRET_VALUES.some((form) => form.test(value));
}

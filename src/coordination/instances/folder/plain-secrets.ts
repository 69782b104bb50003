import type { EnvEntry } from './env-file.ts';
import { isPlainSecret, secretNameFor, secretNameIn, secretReference } from './secret-reference.ts';

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
    const referred = secretNameIn(value);
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
    const referred = secretNameIn(node);
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

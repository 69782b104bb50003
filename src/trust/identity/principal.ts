/** Journal and keys of the fleet itself live under this reserved company name, which no company can take. */
export const SYSTEM_INSTANCE = '$system';
/** The company that every hive has from the beginning: work that names no company is its. */
export const FIRST_INSTANCE = 'default';

/**
 * What a key may be used for. `read`: see. `run`: hand in work, do it, steer plans. `approve`: decide where a person has
 * to. `administer`: keys, companies, secrets, owners, scheduling policy.
 */
export const SCOPES = ['read', 'run', 'approve', 'administer'] as const;
export type KeyScope = (typeof SCOPES)[number];

/** Who makes a call, as proved by a key. */
export type Principal = {
  kind: 'operator' | 'company' | 'agent';
  /** The company the key is bound to; null = all companies (operators, and agents that serve the whole fleet). */
  instance: string | null;
  /** For agents: the one agent id the key may act as; null = any agent of its instance. */
  agentId: string | null;
  /** Public part of the key; 'local' for the embedding process itself. */
  keyId: string;
  scopes: readonly KeyScope[];
  /** Who holds the key, as `user:ana@acme.example`; null = nobody in particular. */
  subject: string | null;
};

/** The process that embeds Colmeia acts as its operator. */
export const LOCAL_OPERATOR: Principal = {
  kind: 'operator',
  instance: null,
  agentId: null,
  keyId: 'local',
  scopes: SCOPES,
  subject: null,
};

/** How a principal is written into the journal: `operator:<key id>`, `company:<name>:<key id>`, `agent:<id>`. */
export function actorOf(who: Principal): string {
  if (who.kind === 'agent') return `agent:${who.agentId ?? who.keyId}`;
  return who.kind === 'company' ? `company:${who.instance}:${who.keyId}` : `operator:${who.keyId}`;
}

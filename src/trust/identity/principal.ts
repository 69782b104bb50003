/** Journal and keys of the fleet itself live under this reserved company name, which no company can take. */
export const SYSTEM_INSTANCE = '$system';

/** Who makes a call, as proved by a key. */
export type Principal = {
  kind: 'operator' | 'company' | 'agent';
  /** The company the key is bound to; null = all companies (operators, and agents that serve the whole fleet). */
  instance: string | null;
  /** For agents: the one agent id the key may act as; null = any agent of its instance. */
  agentId: string | null;
  /** Public part of the key; 'local' for the embedding process itself. */
  keyId: string;
};

/** The process that embeds Colmeia acts as its operator. */
export const LOCAL_OPERATOR: Principal = { kind: 'operator', instance: null, agentId: null, keyId: 'local' };

/** How a principal is written into the journal: `operator:<key id>`, `company:<name>:<key id>`, `agent:<id>`. */
export function actorOf(who: Principal): string {
  if (who.kind === 'agent') return `agent:${who.agentId ?? who.keyId}`;
  return who.kind === 'company' ? `company:${who.instance}:${who.keyId}` : `operator:${who.keyId}`;
}

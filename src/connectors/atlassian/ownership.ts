import type { AccountSpec } from '../../coordination/instances/outside-accounts.ts';
import { ColmeiaError } from '../../platform/errors.ts';

/** The property of a project or space that says whose it is. */
export const OWNER_PROPERTY = 'colmeia.instance';

/** The project and the space that all companies of a hive share. */
export const HIVE_ACCOUNT = {
  key: 'ORCH',
  name: 'Colmeia orchestration',
  description: 'What concerns all companies.',
  named: true,
};

/** `adopted`: it was there before, and stays when the company goes. */
export type Ownership = { instance: string; adopted: boolean };

export type Found = {
  name: string;
  description: string;
  /** null: the property is not there. */
  owner: Ownership | null;
};

/** The description carries the company as well, as no project can be made together with its property. */
export function describe(spec: AccountSpec): string {
  return `${spec.description}\n${signature(spec.instance)}`.trim();
}

const signature = (instance: string): string => `[made by Colmeia for ${instance}]`;

/** Whose it is; null = nobody's that Colmeia knows of. */
export function ownerOf(found: Found): Ownership | null {
  if (found.owner !== null) return found.owner;
  const instance = /\[made by Colmeia for ([a-z0-9-]+)\]\s*$/.exec(found.description)?.[1];
  return instance === undefined ? null : { instance, adopted: false };
}

/** What to write as its owner, so that the company may use it. Throws OUTSIDE_REFUSED with the way out. */
export async function ownershipFor(
  spec: AccountSpec,
  found: Found,
  more: { what: string; setting: string; isEmpty(): Promise<boolean>; freeKey(): Promise<string> },
): Promise<Ownership> {
  const owner = ownerOf(found);
  if (owner?.instance === spec.instance) return owner;
  if (owner === null && spec.named && (await more.isEmpty())) return { instance: spec.instance, adopted: true };
  const why = owner === null && spec.named ? 'and it is not empty' : 'and it is not of this company';
  const taken = `${more.what} ${spec.key} ("${found.name}") is there already ${why}`;
  const way = `set ${more.setting} in atlassian.config.json to a free key, as ${await more.freeKey()}`;
  throw new ColmeiaError('OUTSIDE_REFUSED', `${taken}; ${way}`);
}

export function refuseForeign(what: string, key: string, instance: string): ColmeiaError {
  return new ColmeiaError('OUTSIDE_REFUSED', `${what} ${key} was not made for ${instance}; it stays as it is`);
}

import { setTimeout as pause } from 'node:timers/promises';
import type { SpaceSummary } from 'confluence.js/v2';
import type { ResourceView } from '../../coordination/instances/instance-views.ts';
import type { AccountSpec } from '../../coordination/instances/outside-accounts.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import {
  describe,
  OWNER_PROPERTY,
  ownerOf,
  type Ownership,
  ownershipFor,
  refuseForeign,
} from '../atlassian/ownership.ts';
import { isUncertain } from '../atlassian/outcome.ts';
import { AcceptedStatus } from '../atlassian/vendor-client.ts';
import { type ConfluenceApi, listAll } from './confluence-api.ts';
import { listPages } from './read-pages.ts';

const WHAT = 'Confluence space';
const SETTING = 'confluence.space_key';

type OwnerProperty = { id: string; version: number };
export type Space = {
  id: string;
  key: string;
  name: string;
  description: string;
  homepageId: string;
  property: OwnerProperty | null;
  owner: Ownership | null;
};

/** The company's space, made when it is not there. Throws OUTSIDE_REFUSED when the key is another's. */
export async function ensureSpace(api: ConfluenceApi, spec: AccountSpec): Promise<ResourceView> {
  const space = (await findSpace(api, spec.key)) ?? (await createSpace(api, spec));
  const owner = await ownershipFor(spec, space, {
    what: WHAT,
    setting: SETTING,
    isEmpty: async () => (await listPages(api, space)).every((page) => page.isHome),
    freeKey: () => freeKey(api, spec.key),
  });
  if (space.property === null) await setOwner(api, space, owner);
  return { kind: 'confluence-space', id: spec.key, site: api.url };
}

/** False: it was gone, or no company's, or there before the company and stays, freed from it. Waits until it is gone. */
export async function removeSpace(
  api: ConfluenceApi,
  key: string,
  instance: string,
  wait: { pollMs: number; deadlineMs: number },
): Promise<boolean> {
  const space = await findSpace(api, key);
  const owner = space === null ? null : ownerOf(space);
  if (space === null || owner === null) return false;
  if (owner.instance !== instance) throw refuseForeign(WHAT, key, instance);
  if (owner.adopted) {
    const property = { spaceId: Number(space.id), propertyId: Number(space.property!.id) };
    await api.v2.deleteSpacePropertyById(api.client(), property);
    return false;
  }
  try {
    const task = await api.v1.deleteSpace(api.client({ accept: [404] }), { spaceKey: key });
    await waitFor(api, task.id, wait);
  } catch (error) {
    if (!(error instanceof AcceptedStatus)) throw error;
  }
  return true;
}

async function waitFor(api: ConfluenceApi, id: string, wait: { pollMs: number; deadlineMs: number }): Promise<void> {
  for (let waited = 0; waited <= wait.deadlineMs; waited += wait.pollMs) {
    const task = await api.v1.getTask(api.client(), { id });
    if (task.finished && task.successful) return;
    if (task.finished) throw new ColmeiaError('OUTSIDE_REFUSED', 'confluence: the space could not be deleted');
    await pause(wait.pollMs);
  }
  throw new ColmeiaError('OUTSIDE_TIMEOUT', 'confluence: the space is still being deleted');
}

/** True while a company's space is there. */
export async function isOwned(api: ConfluenceApi, key: string): Promise<boolean> {
  const space = await findSpace(api, key);
  return space !== null && ownerOf(space) !== null;
}

/** Throws OUTSIDE_REFUSED when it is neither name's. */
export async function renameOwner(api: ConfluenceApi, key: string, from: string, to: string): Promise<void> {
  const space = await findSpace(api, key);
  const owner = space === null ? null : ownerOf(space);
  if (space === null || owner === null || ![from, to].includes(owner.instance)) throw refuseForeign(WHAT, key, from);
  await setOwner(api, space, { ...owner, instance: to });
}

/** Throws OUTSIDE_REFUSED when it is not there. */
export async function spaceOf(api: ConfluenceApi, key: string): Promise<Space> {
  const space = await findSpace(api, key);
  if (space !== null) return space;
  throw new ColmeiaError('OUTSIDE_REFUSED', `confluence: there is no space ${key}`);
}

async function findSpace(api: ConfluenceApi, key: string): Promise<Space | null> {
  const found = (await listSpaces(api, [key])).find((space) => space.key === key);
  if (found === undefined) return null;
  const id = found.id ?? '';
  const [property] = await listAll((cursor) =>
    api.v2.getSpaceProperties(api.client(), { spaceId: Number(id), key: OWNER_PROPERTY, ...(cursor && { cursor }) }),
  );
  const owner = (property?.value as Ownership | undefined) ?? null;
  return {
    id,
    key,
    name: found.name ?? '',
    description: found.description?.plain?.value ?? '',
    homepageId: found.homepageId ?? '',
    property: owner === null ? null : { id: property!.id ?? '', version: property!.version?.number ?? 1 },
    owner,
  };
}

async function listSpaces(api: ConfluenceApi, keys: string[]): Promise<SpaceSummary[]> {
  return await listAll((cursor) =>
    api.v2.getSpaces(api.client(), { keys, descriptionFormat: 'plain', limit: 250, ...(cursor && { cursor }) }),
  );
}

async function createSpace(api: ConfluenceApi, spec: AccountSpec): Promise<Space> {
  const description = { plain: { value: describe(spec), representation: 'plain' } };
  try {
    await api.v1.createSpace(api.client({ accept: [400] }), { key: spec.key, name: spec.name, description });
  } catch (error) {
    const isRefused = error instanceof AcceptedStatus;
    const there = isUncertain(error) || isRefused ? await findSpace(api, spec.key) : null;
    if (there !== null) return there;
    if (!isRefused) throw error;
    // As of a space that the token does not see.
    const way = `set ${SETTING} in atlassian.config.json to a free key, as ${await freeKey(api, spec.key)}`;
    throw new ColmeiaError('OUTSIDE_REFUSED', `${WHAT} ${spec.key} cannot be made under this key; ${way}`);
  }
  return await spaceOf(api, spec.key);
}

async function setOwner(api: ConfluenceApi, space: Space, owner: Ownership): Promise<void> {
  const spaceId = Number(space.id);
  const known = space.property;
  const given = { key: OWNER_PROPERTY, value: { ...owner } };
  try {
    if (known === null)
      return void (await api.v2.createSpaceProperty(api.client({ accept: [409] }), { spaceId, ...given }));
    const next = { number: known.version + 1 };
    const update = { spaceId, propertyId: Number(known.id), ...given, version: next };
    await api.v2.updateSpacePropertyById(api.client({ accept: [409] }), update);
  } catch (error) {
    if (!(error instanceof AcceptedStatus || isUncertain(error))) throw error;
    // The answer may be that of a repeat of what was done already.
    const there = (await findSpace(api, space.key))?.owner;
    if (there?.instance === owner.instance) return;
    throw new ColmeiaError('OUTSIDE_UNAVAILABLE', `${WHAT} ${space.key}: it could not be marked as the company's`);
  }
}

/** The key with a number behind it that no space has. */
async function freeKey(api: ConfluenceApi, key: string): Promise<string> {
  const candidates = Array.from({ length: 50 }, (_, i) => `${key}${i + 1}`);
  const taken = new Set((await listSpaces(api, candidates)).map((space) => space.key));
  return candidates.find((one) => !taken.has(one)) ?? `${key}X`;
}

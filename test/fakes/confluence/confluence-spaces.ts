import type { FakeAnswer } from '../faults.ts';
import { jsonOf, VendorRefusal, type VendorCall, type VendorRoute } from '../vendor-server.ts';
import {
  addSpace,
  listed,
  newId,
  refused,
  removeSpace,
  spaceById,
  type ConfluenceSite,
  type FakeSpace,
} from './confluence-site.ts';

/** Spaces, their properties, and the tasks by which they go away. */
export function spaceRoutes(site: ConfluenceSite): VendorRoute[] {
  return [
    ['GET', '/wiki/rest/api/user/current', () => currentUser(site)],
    ['POST', '/wiki/rest/api/space', (call) => createSpace(site, call)],
    ['DELETE', '/wiki/rest/api/space/:key', (call) => deleteSpace(site, call)],
    ['GET', '/wiki/rest/api/longtask/:task', (call) => task(site, call)],
    ['GET', '/wiki/api/v2/spaces', (call) => getSpaces(site, call)],
    ['GET', '/wiki/api/v2/spaces/:space/properties', (call) => getProperties(site, call)],
    ['POST', '/wiki/api/v2/spaces/:space/properties', (call) => createProperty(site, call)],
    ['PUT', '/wiki/api/v2/spaces/:space/properties/:property', (call) => updateProperty(site, call)],
    ['DELETE', '/wiki/api/v2/spaces/:space/properties/:property', (call) => deleteProperty(site, call)],
  ];
}

function currentUser(site: ConfluenceSite): FakeAnswer {
  const operations = [
    { operation: 'use', targetType: 'application' },
    ...(site.mayCreateSpaces ? [{ operation: 'create', targetType: 'space' }] : []),
  ];
  return { status: 200, body: { type: 'known', accountId: 'account-bot', displayName: 'Bot', operations } };
}

function createSpace(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  if (!site.mayCreateSpaces) throw new VendorRefusal(403, { message: 'Not permitted to create spaces' });
  const given = jsonOf(call) as { key: string; name: string; description?: { plain: { value: string } } };
  if (!/^[A-Za-z0-9]{1,255}$/.test(given.key)) throw new VendorRefusal(400, { message: 'The key is not valid' });
  if (site.spaces.has(given.key)) {
    throw new VendorRefusal(400, { message: `A space already exists with key ${given.key}` });
  }
  const { key, name } = given;
  const space = addSpace(site, { key, name, description: given.description?.plain.value ?? '' });
  const shown = { id: Number(space.id), key, name, type: 'global', status: 'current', _expandable: {}, _links: {} };
  return { status: 200, body: shown };
}

function deleteSpace(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const key = call.params.key!;
  if (!site.spaces.has(key)) throw new VendorRefusal(404, { message: `No space with key ${key}` });
  const id = newId(site);
  site.tasks.set(id, { id, remaining: 2, effect: () => removeSpace(site, key) });
  return { status: 202, body: { id, links: { status: `/rest/api/longtask/${id}` } } };
}

function task(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const found = site.tasks.get(call.params.task!);
  if (found === undefined) throw new VendorRefusal(404, { message: 'No task with this id' });
  found.remaining -= 1;
  const finished = found.remaining <= 0;
  if (found.remaining === 0) found.effect();
  const state = { elapsedTime: 1, percentageComplete: finished ? 100 : 50, successful: finished, finished };
  const name = { key: 'com.atlassian.confluence.spaces.remove', args: [] };
  return { status: 200, body: { id: found.id, name, ...state, messages: [], _links: {} } };
}

function getSpaces(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const keys = call.query.getAll('keys').flatMap((one) => one.split(','));
  const found = [...site.spaces.values()].filter((one) => keys.length === 0 || keys.includes(one.key));
  const plain = (value: string) => ({ plain: { value, representation: 'plain' } });
  const views = found.map(({ id, key, name, homepageId, description }) => ({
    id,
    key,
    name,
    homepageId,
    type: 'global',
    status: 'current',
    description: call.query.get('description-format') === 'plain' ? plain(description) : null,
  }));
  return listed(site, call, views);
}

type Property = FakeSpace['properties'][number];

function propertyView({ id, key, value, version }: Property): Record<string, unknown> {
  return { id, key, value, version: { number: version } };
}

function propertyOf(site: ConfluenceSite, call: VendorCall): Property {
  const found = spaceById(site, call.params.space!).properties.find((one) => one.id === call.params.property);
  if (found === undefined) throw refused(404, 'Cannot find the property');
  return found;
}

function getProperties(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const key = call.query.get('key');
  const { properties } = spaceById(site, call.params.space!);
  return listed(site, call, properties.filter((one) => key === null || one.key === key).map(propertyView));
}

function createProperty(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const space = spaceById(site, call.params.space!);
  const { key, value } = jsonOf(call) as { key: string; value: unknown };
  if (space.properties.some((one) => one.key === key))
    throw refused(409, `A property with key ${key} is there already`);
  const property = { id: newId(site), key, value, version: 1 };
  space.properties.push(property);
  return { status: 200, body: propertyView(property) };
}

function updateProperty(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const property = propertyOf(site, call);
  const given = jsonOf(call) as { value: unknown; version: { number: number } };
  if (given.version.number !== property.version + 1) throw refused(409, 'The version is not the next one');
  property.value = given.value;
  property.version += 1;
  return { status: 200, body: propertyView(property) };
}

function deleteProperty(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const gone = propertyOf(site, call);
  const space = spaceById(site, call.params.space!);
  space.properties = space.properties.filter((one) => one !== gone);
  return { status: 204 };
}

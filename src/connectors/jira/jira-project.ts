import type { Project } from 'jira.js/cloud';
import type { ResourceView } from '../../coordination/instances/instance-views.ts';
import type { AccountSpec } from '../../coordination/instances/outside-accounts.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import {
  describe,
  type Found,
  OWNER_PROPERTY,
  ownerOf,
  type Ownership,
  ownershipFor,
  refuseForeign,
} from '../atlassian/ownership.ts';
import { AcceptedStatus } from '../atlassian/vendor-client.ts';
import { isUncertain } from '../atlassian/outcome.ts';
import type { JiraApi } from './jira-api.ts';
import { probeIssues } from './list-issues.ts';

const WHAT = 'Jira project';
const TEMPLATE = 'com.pyxis.greenhopper.jira:gh-simplified-kanban-classic';

/** The company's project, made when it is not there. Throws OUTSIDE_REFUSED when the key is another's. */
export async function ensureProject(api: JiraApi, spec: AccountSpec): Promise<ResourceView> {
  const found = (await findProject(api, spec.key)) ?? (await createProject(api, spec));
  const owner = await ownershipFor(spec, found, {
    what: WHAT,
    setting: 'jira.project_key',
    isEmpty: async () => !(await hasIssues(api, spec.key)),
    freeKey: () => freeKey(api, spec.key),
  });
  if (found.owner === null) await setOwner(api, spec.key, owner);
  return { kind: 'jira-project', id: spec.key, site: api.url };
}

/** False: it was gone, or no company's, or there before the company and stays, freed from it. */
export async function removeProject(api: JiraApi, key: string, instance: string): Promise<boolean> {
  const found = await findProject(api, key);
  const owner = found === null ? null : ownerOf(found);
  if (owner === null) return false;
  if (owner.instance !== instance) throw refuseForeign(WHAT, key, instance);
  if (owner.adopted) {
    await api.lib.deleteProjectProperty(api.client(), { projectIdOrKey: key, propertyKey: OWNER_PROPERTY });
    return false;
  }
  // The recycle bin would keep the key.
  await orNull(api.lib.deleteProject(api.client({ accept: [404] }), { projectIdOrKey: key, enableUndo: false }));
  return true;
}

/** True while a company's project is there. */
export async function isOwned(api: JiraApi, key: string): Promise<boolean> {
  const found = await findProject(api, key);
  return found !== null && ownerOf(found) !== null;
}

/** Throws OUTSIDE_REFUSED when it is neither name's. */
export async function renameOwner(api: JiraApi, key: string, from: string, to: string): Promise<void> {
  const found = await findProject(api, key);
  const owner = found === null ? null : ownerOf(found);
  if (owner === null || ![from, to].includes(owner.instance)) throw refuseForeign(WHAT, key, from);
  await setOwner(api, key, { ...owner, instance: to });
}

async function findProject(api: JiraApi, key: string): Promise<Found | null> {
  const project = await orNull<Project>(api.lib.getProject(api.client({ accept: [404] }), { projectIdOrKey: key }));
  if (project === null) return null;
  const property = { projectIdOrKey: key, propertyKey: OWNER_PROPERTY };
  const owner = await orNull(api.lib.getProjectProperty(api.client({ accept: [404] }), property));
  return {
    name: project.name ?? '',
    description: project.description ?? '',
    owner: (owner?.value as Ownership | undefined) ?? null,
  };
}

async function createProject(api: JiraApi, spec: AccountSpec): Promise<Found> {
  const { accountId = '' } = await api.lib.getCurrentUser(api.client());
  let name = spec.name;
  for (;;) {
    const wanted = {
      key: spec.key,
      name,
      description: describe(spec),
      leadAccountId: accountId,
      projectTypeKey: 'software',
      projectTemplateKey: TEMPLATE,
    };
    try {
      await api.lib.createProject(api.client({ accept: [400] }), wanted);
      return { name, description: wanted.description, owner: null };
    } catch (error) {
      const there = isUncertain(error) ? await findProject(api, spec.key) : null;
      if (there !== null) return there;
      if (!(error instanceof AcceptedStatus)) throw error;
      const { errors = {} } = error.body as { errors?: Record<string, string> };
      const free = errors.projectName === undefined ? name : await freeName(api, name);
      if (free === name || errors.projectKey !== undefined) throw await refusedKey(api, spec.key, errors);
      name = free;
    }
  }
}

/** Also of a project in the recycle bin, or one that the token does not see. */
async function refusedKey(api: JiraApi, key: string, errors: Readonly<Record<string, string>>): Promise<ColmeiaError> {
  const way = `set jira.project_key in atlassian.config.json to a free key, as ${await freeKey(api, key)}`;
  return new ColmeiaError('OUTSIDE_REFUSED', `${WHAT} ${key}: ${Object.values(errors).join(' ')} ${way}`);
}

async function setOwner(api: JiraApi, key: string, owner: Ownership): Promise<void> {
  const property = { projectIdOrKey: key, propertyKey: OWNER_PROPERTY, body: { ...owner } };
  await api.lib.setProjectProperty(api.client(), property);
}

async function hasIssues(api: JiraApi, key: string): Promise<boolean> {
  const query = { jql: `project = "${key}"`, fields: ['key'], maxResults: 1 };
  const { issues = [] } = await api.lib.searchAndReconsileIssuesUsingJqlPost(api.client(), query);
  return issues.length > 0 || (await probeIssues(api, key, 1)).length > 0;
}

const freeKey = (api: JiraApi, key: string): Promise<string> => api.lib.getValidProjectKey(api.client(), { key });
const freeName = (api: JiraApi, name: string): Promise<string> => api.lib.getValidProjectName(api.client(), { name });

/** null for a status that the call accepts, as 404 for what is not there. */
async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof AcceptedStatus) return null;
    throw error;
  }
}

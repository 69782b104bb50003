import type { FakeAnswer } from '../faults.ts';
import { jsonOf, type VendorCall, type VendorRoute } from '../vendor-server.ts';
import { newId, projectOf, refused, type FakeProject, type JiraSite } from './jira-site.ts';

export function projectRoutes(site: JiraSite): VendorRoute[] {
  return [
    ['GET', '/rest/api/3/myself', () => ({ status: 200, body: { accountId: 'account-bot', displayName: 'Bot' } })],
    ['GET', '/rest/api/3/mypermissions', (call) => permissions(site, call)],
    ['POST', '/rest/api/3/project', (call) => createProject(site, call)],
    ['GET', '/rest/api/3/project/:project', (call) => getProject(site, call)],
    ['DELETE', '/rest/api/3/project/:project', (call) => deleteProject(site, call)],
    ['GET', '/rest/api/3/projectvalidate/validProjectKey', (call) => freeKey(site, call)],
    ['GET', '/rest/api/3/projectvalidate/validProjectName', (call) => freeName(site, call)],
    ['GET', '/rest/api/3/project/:project/properties/:key', (call) => getProperty(site, call)],
    ['PUT', '/rest/api/3/project/:project/properties/:key', (call) => setProperty(site, call)],
    ['DELETE', '/rest/api/3/project/:project/properties/:key', (call) => deleteProperty(site, call)],
    ['GET', '/rest/api/3/issueLinkType', () => ({ status: 200, body: { issueLinkTypes: site.linkTypes } })],
    ['GET', '/rest/api/3/priority/search', () => page(site.priorities.map((name, i) => ({ id: String(i + 1), name })))],
    ['GET', '/rest/api/3/field', () => ({ status: 200, body: fieldList(site) })],
  ];
}

/** A project that is on the site; its screens have all custom fields unless told otherwise. */
export function addProject(site: JiraSite, given: { key: string; name: string; description?: string }): FakeProject {
  const project: FakeProject = {
    id: Number(newId(site)),
    description: '',
    leadAccountId: 'account-bot',
    properties: new Map(),
    next: 1,
    screen: new Set(site.customFields.map((one) => one.id)),
    issueTypes: site.issueTypes.map((one) => one.name),
    workflow: null,
    ...given,
  };
  site.projects.set(project.key, project);
  return project;
}

function createProject(site: JiraSite, call: VendorCall): FakeAnswer {
  if (!site.permissions.has('ADMINISTER')) throw refused(403, 'You are not authorized to create projects.');
  const wanted = jsonOf(call) as { key: string; name: string; description?: string; leadAccountId: string };
  const errors: Record<string, string> = {};
  if (!/^[A-Z][A-Z0-9_]{1,9}$/.test(wanted.key))
    errors.projectKey = 'Project keys must start with an uppercase letter.';
  if (site.projects.has(wanted.key)) errors.projectKey = `Project '${wanted.key}' uses this project key.`;
  if ([...site.projects.values()].some((one) => one.name === wanted.name)) {
    errors.projectName = 'A project with that name already exists.';
  }
  if (!site.accounts.includes(wanted.leadAccountId)) errors.leadAccountId = 'The project lead is not valid.';
  if (Object.keys(errors).length > 0) throw refused(400, '', errors);
  const project = addProject(site, wanted);
  return {
    status: 201,
    body: { id: project.id, key: project.key, self: `${site.url}/rest/api/3/project/${project.id}` },
  };
}

function getProject(site: JiraSite, call: VendorCall): FakeAnswer {
  const { id, key, name, description } = projectOf(site, call.params.project!);
  const self = `${site.url}/rest/api/3/project/${id}`;
  return { status: 200, body: { id: String(id), key, name, description, self, projectTypeKey: 'software' } };
}

function deleteProject(site: JiraSite, call: VendorCall): FakeAnswer {
  if (!site.permissions.has('ADMINISTER')) throw refused(403, 'You cannot delete projects.');
  const project = projectOf(site, call.params.project!);
  // In the recycle bin a project keeps its key.
  if (call.query.get('enableUndo') !== 'false') throw refused(400, 'this test wants projects gone for good');
  for (const issue of [...site.issues.values()].filter((one) => one.project === project.key)) {
    site.issues.delete(issue.id);
    site.links = site.links.filter((link) => link.from !== issue.id && link.to !== issue.id);
  }
  site.projects.delete(project.key);
  return { status: 204 };
}

function permissions(site: JiraSite, call: VendorCall): FakeAnswer {
  const asked = (call.query.get('permissions') ?? '').split(',');
  const list = asked.map((key) => [
    key,
    { id: '1', key, name: key, type: 'GLOBAL', havePermission: site.permissions.has(key) },
  ]);
  return { status: 200, body: { permissions: Object.fromEntries(list) } };
}

function freeKey(site: JiraSite, call: VendorCall): FakeAnswer {
  const wanted = call.query.get('key') ?? '';
  for (let n = 0; ; n++) {
    const key = n === 0 ? wanted : `${wanted.slice(0, 8)}${n}`;
    if (!site.projects.has(key)) return { status: 200, body: key };
  }
}

function freeName(site: JiraSite, call: VendorCall): FakeAnswer {
  const wanted = call.query.get('name') ?? '';
  const names = new Set([...site.projects.values()].map((one) => one.name));
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted} ${n}`;
    if (!names.has(name)) return { status: 200, body: name };
  }
}

function getProperty(site: JiraSite, call: VendorCall): FakeAnswer {
  const key = call.params.key!;
  const project = projectOf(site, call.params.project!);
  if (!project.properties.has(key)) throw refused(404, `The property '${key}' does not exist.`);
  return { status: 200, body: { key, value: project.properties.get(key) } };
}

function setProperty(site: JiraSite, call: VendorCall): FakeAnswer {
  projectOf(site, call.params.project!).properties.set(call.params.key!, jsonOf(call));
  return { status: 200 };
}

function deleteProperty(site: JiraSite, call: VendorCall): FakeAnswer {
  projectOf(site, call.params.project!).properties.delete(call.params.key!);
  return { status: 204 };
}

function fieldList(site: JiraSite): unknown[] {
  return site.customFields.map(({ id, name, type, items }) => ({
    id,
    key: id,
    name,
    custom: true,
    schema: { type, ...(items === undefined ? {} : { items }), custom: type, customId: 1 },
  }));
}

function page(values: unknown[]): FakeAnswer {
  return { status: 200, body: { isLast: true, maxResults: 50, startAt: 0, total: values.length, values } };
}

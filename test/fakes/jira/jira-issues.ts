import type { FakeAnswer } from '../faults.ts';
import { jsonOf, VendorRefusal, type VendorCall, type VendorRoute } from '../vendor-server.ts';
import {
  findIssue,
  issueOf,
  newId,
  projectOf,
  refused,
  stamp,
  type FakeIssue,
  type FakeProject,
  type JiraSite,
} from './jira-site.ts';

type IssueUpdate = { fields?: Record<string, unknown>; properties?: { key: string; value: unknown }[] };
type Errors = Record<string, string>;

export function issueRoutes(site: JiraSite): VendorRoute[] {
  return [
    ['POST', '/rest/api/3/issue', (call) => created(site, createIssue(site, jsonOf(call)))],
    ['POST', '/rest/api/3/issue/bulk', (call) => createIssues(site, call)],
    ['POST', '/rest/api/3/issue/bulkfetch', (call) => bulkFetch(site, call)],
    ['GET', '/rest/api/3/issue/:issue', (call) => getIssue(site, call)],
    ['PUT', '/rest/api/3/issue/:issue', (call) => editIssue(site, call)],
    ['DELETE', '/rest/api/3/issue/:issue', (call) => deleteIssue(site, call)],
    ['GET', '/rest/api/3/issue/:issue/transitions', (call) => transitions(site, call)],
    ['POST', '/rest/api/3/issue/:issue/transitions', (call) => doTransition(site, call)],
    ['GET', '/rest/api/3/issue/:issue/properties/:key', (call) => getProperty(site, call)],
    ['GET', '/rest/api/3/issue/createmeta/:project/issuetypes', (call) => createMetaTypes(site, call)],
    ['GET', '/rest/api/3/issue/createmeta/:project/issuetypes/:type', (call) => createMetaFields(site, call)],
  ];
}

/** Makes an issue, or throws what Jira says of its fields. */
export function createIssue(site: JiraSite, update: IssueUpdate): FakeIssue {
  const fields = update.fields ?? {};
  const named = fields.project as { key?: string; id?: string } | undefined;
  const project = [...site.projects.values()].find(
    (one) => one.key === named?.key || String(one.id) === String(named?.id),
  );
  if (project === undefined) throw refused(400, '', { project: 'Specify a valid project ID or key' });
  const errors = faultsOf(site, project, fields);
  if (Object.keys(errors).length > 0) throw refused(400, '', errors);
  const type = typeOf(site, fields.issuetype)!;
  const issue: FakeIssue = {
    id: newId(site),
    key: `${project.key}-${project.next}`,
    project: project.key,
    fields: { ...plainFields(fields), created: stamp(site) },
    type: type.name,
    status: site.statuses[0]!,
    parent: parentOf(site, fields.parent)?.id ?? null,
    properties: new Map((update.properties ?? []).map(({ key, value }) => [key, value])),
    comments: [],
    attachments: [],
    visibleFrom: site.callsSeen + site.indexLag,
  };
  project.next += 1;
  site.issues.set(issue.id, issue);
  return issue;
}

function faultsOf(site: JiraSite, project: FakeProject, fields: Record<string, unknown>): Errors {
  const errors: Errors = {};
  const type = typeOf(site, fields.issuetype);
  if (type === undefined || !project.issueTypes.includes(type.name)) {
    errors.issuetype = 'Specify an issue type';
    return errors;
  }
  const summary = fields.summary;
  if (typeof summary !== 'string' || summary === '') errors.summary = 'You must specify a summary of the issue.';
  else if (summary.length > 255) errors.summary = 'Summary must be less than 255 characters.';
  const parent = fields.parent === undefined ? null : parentOf(site, fields.parent);
  if (fields.parent !== undefined && parent === null) errors.parent = 'Could not find issue by id or key.';
  if (type.level === -1 && parent === null)
    errors.parent = 'Issue type is a sub-task but parent issue key or id not specified.';
  const priority = (fields.priority as { name?: string } | undefined)?.name;
  if (priority !== undefined && !site.priorities.includes(priority))
    errors.priority = 'The priority selected is invalid.';
  const assignee = (fields.assignee as { accountId?: string } | undefined)?.accountId;
  if (assignee !== undefined && !site.accounts.includes(assignee)) {
    errors.assignee = 'User cannot be assigned issues.';
  }
  const description = fields.description as { type?: string; version?: number } | null | undefined;
  if (description !== undefined && description !== null && (description.type !== 'doc' || description.version !== 1)) {
    errors.description = 'Operation value must be an Atlassian Document (see the Atlassian Document Format)';
  }
  for (const name of Object.keys(fields)) {
    const known = name.startsWith('customfield_') ? project.screen.has(name) : PLAIN_FIELDS.has(name);
    if (!known) errors[name] = `Field '${name}' cannot be set. It is not on the appropriate screen, or unknown.`;
  }
  return errors;
}

const PLAIN_FIELDS = new Set([
  'project',
  'issuetype',
  'summary',
  'description',
  'parent',
  'priority',
  'labels',
  'duedate',
  'assignee',
  'environment',
]);

function plainFields(fields: Record<string, unknown>): Record<string, unknown> {
  const rest = Object.entries(fields).filter(([name]) => !['project', 'issuetype', 'parent'].includes(name));
  return Object.fromEntries(rest);
}

function typeOf(site: JiraSite, named: unknown): JiraSite['issueTypes'][number] | undefined {
  const wanted = (named ?? {}) as { id?: string; name?: string };
  return site.issueTypes.find((one) => one.id === wanted.id || one.name === wanted.name);
}

function parentOf(site: JiraSite, named: unknown): FakeIssue | null {
  const wanted = (named ?? {}) as { id?: string; key?: string };
  return findIssue(site, wanted.id ?? wanted.key ?? '');
}

function created(site: JiraSite, issue: FakeIssue): FakeAnswer {
  return { status: 201, body: reference(site, issue) };
}

function reference(site: JiraSite, issue: FakeIssue): { id: string; key: string; self: string } {
  return { id: issue.id, key: issue.key, self: `${site.url}/rest/api/3/issue/${issue.id}` };
}

function createIssues(site: JiraSite, call: VendorCall): FakeAnswer {
  const updates = (jsonOf(call).issueUpdates ?? []) as IssueUpdate[];
  if (updates.length === 0 || updates.length > 50) {
    throw refused(400, `The number of issues that can be created in one request is limited to 50.`);
  }
  const issues: unknown[] = [];
  const errors: unknown[] = [];
  updates.forEach((update, failedElementNumber) => {
    try {
      issues.push(reference(site, createIssue(site, update)));
    } catch (error) {
      if (!(error instanceof VendorRefusal)) throw error;
      errors.push({ status: 400, failedElementNumber, elementErrors: error.answer.body });
    }
  });
  return { status: issues.length > 0 ? 201 : 400, body: { issues, errors } };
}

function bulkFetch(site: JiraSite, call: VendorCall): FakeAnswer {
  const wanted = jsonOf(call) as { issueIdsOrKeys: string[]; fields?: string[]; properties?: string[] };
  if (wanted.issueIdsOrKeys.length > 100) throw refused(400, 'You can request up to 100 issues.');
  if ((wanted.properties?.length ?? 0) > 5) throw refused(400, 'The maximum number of properties is 5.');
  const found = wanted.issueIdsOrKeys.map((key) => ({ key, issue: findIssue(site, key) }));
  const issues = found.flatMap(({ issue }) =>
    issue === null ? [] : [view(site, issue, wanted.fields ?? [], wanted.properties ?? [])],
  );
  const issueErrors = found.flatMap(({ key, issue }) =>
    issue === null ? [{ id: key, errorMessage: 'Issue does not exist' }] : [],
  );
  // Jira answers in its own order, not in the one asked for.
  return { status: 200, body: { issues: issues.toReversed(), issueErrors } };
}

/** An issue as Jira shows it; `*all` is every field. */
export function view(
  site: JiraSite,
  issue: FakeIssue,
  fields: readonly string[],
  properties: readonly string[] = [],
): Record<string, unknown> {
  const all = allFields(site, issue);
  const some = fields.includes('*all')
    ? all
    : Object.fromEntries(fields.flatMap((f) => (f in all ? [[f, all[f]]] : [])));
  const kept = properties.flatMap((name) => (issue.properties.has(name) ? [[name, issue.properties.get(name)]] : []));
  return {
    ...reference(site, issue),
    expand: 'operations,changelog',
    fields: some,
    ...(properties.length === 0 ? {} : { properties: Object.fromEntries(kept) }),
  };
}

function allFields(site: JiraSite, issue: FakeIssue): Record<string, unknown> {
  const parent = issue.parent === null ? undefined : site.issues.get(issue.parent);
  const type = site.issueTypes.find((one) => one.name === issue.type)!;
  const rest = Object.fromEntries(
    Object.entries(issue.fields).map(([name, value]) => [name, shown(site, name, value)]),
  );
  return {
    description: null,
    duedate: null,
    labels: [],
    environment: null,
    assignee: null,
    ...rest,
    priority: { name: 'Medium', id: '3', ...(issue.fields.priority as object | undefined) },
    project: { key: issue.project, id: String(site.projects.get(issue.project)?.id ?? 0) },
    issuetype: { id: type.id, name: type.name, subtask: type.level === -1, hierarchyLevel: type.level },
    status: { id: String(site.statuses.indexOf(issue.status) + 1), name: issue.status },
    comment: {
      comments: issue.comments.slice(0, site.inlineComments).map((one) => ({ ...one, properties: undefined })),
      total: issue.comments.length,
      maxResults: site.inlineComments,
      startAt: 0,
    },
    attachment: issue.attachments.map((one) => attachmentView(site, one)),
    issuelinks: linkViews(site, issue),
    ...(parent === undefined ? {} : { parent: { id: parent.id, key: parent.key } }),
  };
}

/** Jira shows an option with its id and address, whatever it was set by. */
function shown(site: JiraSite, name: string, value: unknown): unknown {
  const field = site.customFields.find((one) => one.id === name);
  if (field?.type !== 'option' || value === null) return value;
  const option = (value as { value: string }).value;
  return {
    self: `${site.url}/rest/api/3/customFieldOption/1`,
    value: option,
    id: String(field.options?.indexOf(option)),
  };
}

export function attachmentView(site: JiraSite, one: FakeIssue['attachments'][number]): Record<string, unknown> {
  return {
    id: one.id,
    self: `${site.url}/rest/api/3/attachment/${one.id}`,
    filename: one.filename,
    mimeType: one.mimeType,
    size: one.content.length,
    created: one.created,
    content: `${site.url}/rest/api/3/attachment/content/${one.id}`,
  };
}

function linkViews(site: JiraSite, issue: FakeIssue): unknown[] {
  return site.links.flatMap((link) => {
    const type = site.linkTypes.find((one) => one.name === link.type);
    const other = (id: string) => ({ id, key: site.issues.get(id)?.key ?? '' });
    return [
      ...(link.from === issue.id ? [{ id: link.id, type, outwardIssue: other(link.to) }] : []),
      ...(link.to === issue.id ? [{ id: link.id, type, inwardIssue: other(link.from) }] : []),
    ];
  });
}

function getIssue(site: JiraSite, call: VendorCall): FakeAnswer {
  const fields = call.query.getAll('fields').flatMap((one) => one.split(','));
  const properties = call.query.getAll('properties').flatMap((one) => one.split(','));
  const issue = issueOf(site, call.params.issue!);
  return { status: 200, body: view(site, issue, fields.length === 0 ? ['*all'] : fields, properties) };
}

function editIssue(site: JiraSite, call: VendorCall): FakeAnswer {
  const issue = issueOf(site, call.params.issue!);
  const fields = (jsonOf(call).fields ?? {}) as Record<string, unknown>;
  const whole = { summary: issue.fields.summary, issuetype: { name: issue.type }, ...fields };
  const kept = issue.parent === null ? whole : { parent: { id: issue.parent }, ...whole };
  const errors = faultsOf(site, projectOf(site, issue.project), kept);
  if (Object.keys(errors).length > 0) throw refused(400, '', errors);
  issue.fields = { ...issue.fields, ...plainFields(fields) };
  return { status: 204 };
}

function deleteIssue(site: JiraSite, call: VendorCall): FakeAnswer {
  const issue = issueOf(site, call.params.issue!);
  const children = [...site.issues.values()].filter((one) => one.parent === issue.id);
  const subtasks = children.filter((one) => one.type === 'Sub-task');
  if (subtasks.length > 0 && call.query.get('deleteSubtasks') !== 'true') throw refused(400, 'The issue has subtasks.');
  for (const gone of [issue, ...subtasks]) {
    site.issues.delete(gone.id);
    site.links = site.links.filter((link) => link.from !== gone.id && link.to !== gone.id);
  }
  for (const child of children) child.parent = null;
  return { status: 204 };
}

function reachable(site: JiraSite, issue: FakeIssue): string[] {
  const workflow = projectOf(site, issue.project).workflow;
  return workflow === null ? site.statuses.filter((one) => one !== issue.status) : (workflow[issue.status] ?? []);
}

function transitions(site: JiraSite, call: VendorCall): FakeAnswer {
  const issue = issueOf(site, call.params.issue!);
  const list = reachable(site, issue).map((name) => ({
    id: String(site.statuses.indexOf(name) + 11),
    name: `Move to ${name}`,
    to: { id: String(site.statuses.indexOf(name) + 1), name },
  }));
  return { status: 200, body: { expand: 'transitions', transitions: list } };
}

function doTransition(site: JiraSite, call: VendorCall): FakeAnswer {
  const issue = issueOf(site, call.params.issue!);
  const wanted = (jsonOf(call).transition as { id?: string } | undefined)?.id;
  const name = reachable(site, issue).find((one) => String(site.statuses.indexOf(one) + 11) === wanted);
  if (name === undefined) throw refused(400, `Transition id '${wanted}' is not valid for this issue.`);
  issue.status = name;
  return { status: 204 };
}

function getProperty(site: JiraSite, call: VendorCall): FakeAnswer {
  const key = call.params.key!;
  const issue = issueOf(site, call.params.issue!);
  if (!issue.properties.has(key)) throw refused(404, 'The property does not exist.');
  return { status: 200, body: { key, value: issue.properties.get(key) } };
}

function createMetaTypes(site: JiraSite, call: VendorCall): FakeAnswer {
  const project = projectOf(site, call.params.project!);
  const issueTypes = site.issueTypes
    .filter((one) => project.issueTypes.includes(one.name))
    .map((one) => ({ id: one.id, name: one.name, subtask: one.level === -1, hierarchyLevel: one.level }));
  return { status: 200, body: { issueTypes, maxResults: 50, startAt: 0, total: issueTypes.length } };
}

function createMetaFields(site: JiraSite, call: VendorCall): FakeAnswer {
  const project = projectOf(site, call.params.project!);
  const plain = [...PLAIN_FIELDS].map((name) => ({
    fieldId: name,
    key: name,
    name,
    operations: ['set'],
    required: name === 'summary',
    schema: { type: 'string', system: name },
  }));
  const custom = site.customFields
    .filter((one) => project.screen.has(one.id))
    .map((one) => ({
      fieldId: one.id,
      key: one.id,
      name: one.name,
      operations: ['set'],
      required: false,
      schema: {
        type: one.type,
        ...(one.items === undefined ? {} : { items: one.items }),
        custom: one.type,
        customId: 1,
      },
      ...(one.options === undefined ? {} : { allowedValues: one.options.map((value) => ({ value })) }),
    }));
  const fields = [...plain, ...custom];
  return { status: 200, body: { fields, maxResults: 50, startAt: 0, total: fields.length } };
}

import type { FieldCreateMetadata, IssueTypeIssueCreateMetadata } from 'jira.js/cloud';
import { hasReferences, withAddresses } from './adf-document.ts';
import { type CustomField, customFields, writeCustomField } from './issue-fields.ts';
import type { JiraApi } from './jira-api.ts';
import type { SourceIssue } from './read-issues.ts';

type IssueType = { id: string; name: string; level: number };

/** What a project takes: its issue types, the fields of each, the priorities and link types of the site. */
export type TargetProject = {
  key: string;
  types: IssueType[];
  /** By id of the issue type, then by id of the field. */
  fields: ReadonlyMap<string, ReadonlyMap<string, FieldCreateMetadata>>;
  custom: readonly CustomField[];
  priorities: ReadonlySet<string>;
  linkTypes: ReadonlySet<string>;
  /** True: the source is on the same site, so that people and issues of other projects mean the same. */
  isSameSite: boolean;
};

export async function readTarget(api: JiraApi, key: string, isSameSite: boolean): Promise<TargetProject> {
  const client = api.client();
  const types = (await issueTypes(api, key)).map((type) => ({
    id: type.id ?? '',
    name: type.name ?? '',
    level: type.hierarchyLevel ?? (type.subtask === true ? -1 : 0),
  }));
  const fields = new Map<string, ReadonlyMap<string, FieldCreateMetadata>>();
  for (const type of types) fields.set(type.id, await createFields(api, key, type.id));
  const priorities = await api.lib.searchPriorities(client, { maxResults: '100' });
  const linkTypes = await api.lib.getIssueLinkTypes(client);
  return {
    key,
    types,
    fields,
    custom: await customFields(api),
    priorities: new Set(priorities.values.map((one) => one.name ?? '')),
    linkTypes: new Set((linkTypes.issueLinkTypes ?? []).map((one) => one.name ?? '')),
    isSameSite,
  };
}

/** How many calls readTarget takes, about. */
export const CALLS_OF_READ_TARGET = 9;

async function issueTypes(api: JiraApi, projectIdOrKey: string): Promise<IssueTypeIssueCreateMetadata[]> {
  const all: IssueTypeIssueCreateMetadata[] = [];
  for (;;) {
    const query = { projectIdOrKey, startAt: all.length, maxResults: 50 };
    const page = await api.lib.getCreateIssueMetaIssueTypes(api.client(), query);
    const types = page.issueTypes ?? page.createMetaIssueType ?? [];
    all.push(...types);
    if (types.length === 0 || all.length >= (page.total ?? 0)) return all;
  }
}

async function createFields(
  api: JiraApi,
  projectIdOrKey: string,
  issueTypeId: string,
): Promise<ReadonlyMap<string, FieldCreateMetadata>> {
  const all: FieldCreateMetadata[] = [];
  for (;;) {
    const query = { projectIdOrKey, issueTypeId, startAt: all.length, maxResults: 50 };
    const page = await api.lib.getCreateIssueMetaIssueTypeId(api.client(), query);
    const fields = page.fields ?? page.results ?? [];
    all.push(...fields);
    if (fields.length === 0 || all.length >= (page.total ?? 0)) break;
  }
  return new Map(all.map((field) => [field.fieldId, field]));
}

/** Fields of a new issue, and what of the source has no place in them. */
export type IssueDraft = { fields: Record<string, unknown>; left: string[] };

/** `keyOf`: keys of issues that are made already; null = not yet. */
export function draftIssue(
  target: TargetProject,
  url: string,
  source: SourceIssue,
  keyOf: (ref: string) => string | null,
): IssueDraft {
  const { content } = source;
  const parent = source.parent === null ? null : keyOf(source.parent);
  const outside = target.isSameSite ? source.outsideParent : null;
  const type = typeFor(target, content.type, parent ?? outside);
  const draft: IssueDraft = {
    fields: { project: { key: target.key }, issuetype: { id: type?.id ?? '' }, summary: content.summary },
    left: [...source.left],
  };
  if (type?.name !== content.type) draft.left.push(`issue type ${content.type}`);
  if (source.outsideParent !== null && outside === null) draft.left.push('parent of another project');
  const known = target.fields.get(type?.id ?? '') ?? new Map<string, FieldCreateMetadata>();
  const put = (id: string, name: string, value: unknown): void => {
    if (value === null) return;
    if (known.has(id) && value !== undefined) draft.fields[id] = value;
    else draft.left.push(name);
  };
  const parentKey = parent ?? outside;
  if (parentKey !== null) draft.fields.parent = { key: parentKey };
  for (const name of ['description', 'environment'] as const) {
    const text = content[name];
    // A text that points at issues is written when all of them are there.
    put(name, `field ${name}`, text === null || hasReferences(text) ? null : withAddresses(text, url, keyOf));
  }
  put('labels', 'field labels', content.labels.length === 0 ? null : content.labels);
  put('duedate', 'field due date', content.due);
  const priority = content.priority;
  if (priority !== null && target.priorities.has(priority)) put('priority', 'field priority', { name: priority });
  else if (priority !== null) draft.left.push(`priority ${priority}`);
  if (source.assignee !== null && target.isSameSite) put('assignee', 'assignee', { accountId: source.assignee });
  putCustom(target, known, content.fields, draft);
  return draft;
}

function putCustom(
  target: TargetProject,
  known: ReadonlyMap<string, FieldCreateMetadata>,
  values: Readonly<Record<string, unknown>>,
  draft: IssueDraft,
): void {
  for (const [name, value] of Object.entries(values)) {
    const id = target.custom.find((field) => field.name === name)?.id;
    const field = id === undefined ? undefined : known.get(id);
    const written = field === undefined ? undefined : writeCustomField(field, value);
    if (written === undefined) draft.left.push(`field ${name}`);
    else draft.fields[field!.fieldId] = written;
  }
}

/** The type of the same name; else one of the same standing: below a parent, or on its own. */
function typeFor(target: TargetProject, name: string, parent: string | null): IssueType | undefined {
  const sameName = target.types.find((type) => type.name === name);
  if (sameName !== undefined && (sameName.level >= 0 || parent !== null)) return sameName;
  return target.types.find((type) => type.level === 0);
}

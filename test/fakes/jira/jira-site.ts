import type { FakeRequest } from '../fake-http-server.ts';
import { VendorRefusal } from '../vendor-server.ts';

export type Adf = { type: 'doc'; version: number; content: Record<string, unknown>[] };
export type FakeProject = {
  id: number;
  key: string;
  name: string;
  description: string;
  leadAccountId: string;
  properties: Map<string, unknown>;
  /** Number of the next issue. */
  next: number;
  /** Custom fields on its screens, by id. */
  screen: Set<string>;
  issueTypes: string[];
  /** From which status to which; null = every status from every other. */
  workflow: Record<string, string[]> | null;
};
export type FakeComment = { id: string; body: Adf; created: string; properties: { key: string; value: unknown }[] };
export type FakeAttachment = { id: string; filename: string; mimeType: string; content: Buffer; created: string };
export type FakeIssue = {
  id: string;
  key: string;
  project: string;
  fields: Record<string, unknown>;
  type: string;
  status: string;
  parent: string | null;
  properties: Map<string, unknown>;
  comments: FakeComment[];
  attachments: FakeAttachment[];
  /** Search shows it from this call on. */
  visibleFrom: number;
};
/** `from` is the side that `outward` speaks of: "from blocks to". */
export type FakeLink = { id: string; type: string; from: string; to: string };

export type JiraSite = {
  /** Base of addresses in answers, and of the media service; known once the servers listen. */
  url: string;
  mediaUrl: string;
  token: string;
  email: string;
  /** Permissions the token has. */
  permissions: Set<string>;
  projects: Map<string, FakeProject>;
  issues: Map<string, FakeIssue>;
  links: FakeLink[];
  statuses: string[];
  priorities: string[];
  issueTypes: { id: string; name: string; level: number }[];
  linkTypes: { id: string; name: string; inward: string; outward: string }[];
  customFields: { id: string; name: string; type: string; items?: string; options?: string[] }[];
  accounts: string[];
  /** How many calls pass until search shows a new issue. */
  indexLag: number;
  /** Sizes of the pages of a search, in turn; none above the size asked for. */
  pageSizes: number[];
  /** Search now and then gives an empty page with a token, and the same token twice. */
  tokenTraps: boolean;
  /** How many comments come along with an issue; the rest has to be paged. */
  inlineComments: number;
  ids: number;
  callsSeen: number;
};

export function newJiraSite(): JiraSite {
  return {
    url: '',
    mediaUrl: '',
    token: 'jira-token',
    email: 'bot@example.com',
    permissions: new Set(['ADMINISTER', 'BROWSE_PROJECTS', 'CREATE_ISSUES', 'EDIT_ISSUES', 'DELETE_ISSUES']),
    projects: new Map(),
    issues: new Map(),
    links: [],
    statuses: ['To Do', 'In Progress', 'Done'],
    priorities: ['Highest', 'High', 'Medium', 'Low', 'Lowest'],
    issueTypes: [
      { id: '10000', name: 'Epic', level: 1 },
      { id: '10001', name: 'Task', level: 0 },
      { id: '10002', name: 'Bug', level: 0 },
      { id: '10003', name: 'Sub-task', level: -1 },
    ],
    linkTypes: [
      { id: '10100', name: 'Blocks', inward: 'is blocked by', outward: 'blocks' },
      { id: '10101', name: 'Relates', inward: 'relates to', outward: 'relates to' },
    ],
    customFields: [
      { id: 'customfield_10050', name: 'Points', type: 'number' },
      { id: 'customfield_10051', name: 'Area', type: 'option', options: ['North', 'South'] },
      { id: 'customfield_10052', name: 'Notes', type: 'string' },
    ],
    accounts: ['account-bot', 'account-ana'],
    indexLag: 0,
    pageSizes: [],
    tokenTraps: false,
    inlineComments: 20,
    ids: 20_000,
    callsSeen: 0,
  };
}

export function newId(site: JiraSite): string {
  site.ids += 1;
  return String(site.ids);
}

export function projectOf(site: JiraSite, idOrKey: string): FakeProject {
  const project = [...site.projects.values()].find((one) => one.key === idOrKey || String(one.id) === idOrKey);
  if (project === undefined) throw refused(404, `No project could be found with key '${idOrKey}'.`);
  return project;
}

export function issueOf(site: JiraSite, idOrKey: string): FakeIssue {
  const issue = findIssue(site, idOrKey);
  if (issue === null) throw refused(404, 'Issue does not exist or you do not have permission to see it.');
  return issue;
}

export function findIssue(site: JiraSite, idOrKey: string): FakeIssue | null {
  return site.issues.get(idOrKey) ?? [...site.issues.values()].find((one) => one.key === idOrKey) ?? null;
}

export function refused(status: number, message: string, errors: Record<string, string> = {}): VendorRefusal {
  return new VendorRefusal(status, { errorMessages: message === '' ? [] : [message], errors });
}

export function isAuthorized(site: JiraSite, call: FakeRequest): boolean {
  const wanted = `Basic ${Buffer.from(`${site.email}:${site.token}`).toString('base64')}`;
  return call.headers.authorization === wanted;
}

/** A moment that moves on with every use, so that answers are the same in every run. */
export function stamp(site: JiraSite): string {
  return new Date(Date.UTC(2026, 0, 1) + Number(newId(site)) * 1000).toISOString().replace('Z', '+0000');
}

import type { FakeAnswer } from '../faults.ts';
import { jsonOf, type VendorCall, type VendorRoute } from '../vendor-server.ts';
import { view } from './jira-issues.ts';
import { refused, type FakeIssue, type JiraSite } from './jira-site.ts';

type SearchRequest = { jql?: string; fields?: string[]; maxResults?: number; nextPageToken?: string };

export function searchRoutes(site: JiraSite): VendorRoute[] {
  /** How often a token was used, and how many pages were given: what the traps go by. */
  const seen = { tokens: new Map<string, number>(), pages: 0 };
  return [
    ['POST', '/rest/api/3/search/jql', (call) => search(site, jsonOf(call), seen)],
    ['POST', '/rest/api/3/search/approximate-count', (call) => count(site, call)],
  ];
}

function search(
  site: JiraSite,
  request: SearchRequest,
  seen: { tokens: Map<string, number>; pages: number },
): FakeAnswer {
  if (request.jql === undefined || request.jql.trim() === '')
    throw refused(400, 'Unbounded JQL queries are not allowed here.');
  const matches = matching(site, request.jql);
  const token = request.nextPageToken ?? '';
  const start = token === '' ? 0 : Number(Buffer.from(token, 'base64url').toString().split(':')[1]);
  if (Number.isNaN(start)) throw refused(400, 'The nextPageToken is not valid.');
  const used = seen.tokens.get(token) ?? 0;
  seen.tokens.set(token, used + 1);
  const asked = Math.min(request.maxResults ?? 50, 100);
  const size = Math.min(asked, site.pageSizes[seen.pages % site.pageSizes.length] ?? asked);
  seen.pages += 1;
  const isStuck = site.tokenTraps && token !== '' && used === 0 && start % 2 === 1;
  const isEmpty = site.tokenTraps && !isStuck && token !== '' && used === 0 && start % 3 === 0;
  const taken = isEmpty ? [] : matches.slice(start, start + size);
  const next = isStuck ? start : start + taken.length;
  const issues = taken.map((issue) => view(site, issue, request.fields ?? []));
  const isLast = next >= matches.length;
  const more = isLast ? {} : { nextPageToken: isStuck || isEmpty ? token : tokenOf(next) };
  return { status: 200, body: { issues, isLast, ...more } };
}

function tokenOf(start: number): string {
  return Buffer.from(`page:${start}`).toString('base64url');
}

function count(site: JiraSite, call: VendorCall): FakeAnswer {
  return { status: 200, body: { count: matching(site, String(jsonOf(call).jql)).length } };
}

/** Clauses joined by AND over project, key, status, labels and summary, and an order by key or created. */
function matching(site: JiraSite, jql: string): FakeIssue[] {
  const [where = '', order = ''] = jql.split(/\s+order\s+by\s+/i);
  const indexed = [...site.issues.values()].filter((one) => one.visibleFrom <= site.callsSeen);
  const found = where.split(/\s+and\s+/i).reduce((left, clause) => left.filter(testOf(site, clause)), indexed);
  const sorted = found.toSorted((a, b) => numberOf(a) - numberOf(b));
  return /desc/i.test(order) ? sorted.toReversed() : sorted;
}

function testOf(site: JiraSite, clause: string): (issue: FakeIssue) => boolean {
  const parts = /^\s*(\w+)\s*(=|~|>=|<=|>|<)\s*"?([^"]*)"?\s*$/.exec(clause);
  if (parts === null) throw refused(400, `Error in the JQL Query: '${clause}'.`);
  const [, field, sign, value] = parts as unknown as [string, string, string, string];
  if (field === 'project') {
    if (!site.projects.has(value)) throw refused(400, `The value '${value}' does not exist for the field 'project'.`);
    return (issue) => issue.project === value;
  }
  if (field === 'status') return (issue) => issue.status === value;
  if (field === 'labels') return (issue) => ((issue.fields.labels ?? []) as string[]).includes(value);
  if (field === 'summary' && sign === '~') return (issue) => String(issue.fields.summary).includes(value);
  throw refused(400, `Field '${field}' does not exist or you do not have permission to view it.`);
}

function numberOf(issue: FakeIssue): number {
  return Number(issue.key.split('-')[1]);
}

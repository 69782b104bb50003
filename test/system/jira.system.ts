// What a real site would be called like, cut at every call: too long for `npm test`, so it is with the suites on servers.
import { addProject } from '../fakes/jira/jira-projects.ts';
import { createIssue } from '../fakes/jira/jira-issues.ts';
import type { FakeIssue, JiraSite } from '../fakes/jira/jira-site.ts';
import { openFakeJira } from '../fakes/jira/open-jira.ts';
import { startJira, type FakeJira } from '../fakes/jira-server.ts';
import {
  type AccountWorld,
  conformsAsProjectAccount,
} from '../../src/connectors/atlassian/project-account.conformance.ts';

// The client's schemas then refuse every field that Jira does not document.
process.env.AUDIT_SCHEMAS = 'true';

conformsAsProjectAccount('Jira', async () => {
  const jira = await startJira();
  jira.site.indexLag = 7;
  jira.site.pageSizes = [3, 100, 1];
  jira.site.tokenTraps = true;
  jira.site.inlineComments = 1;
  return worldOf(jira);
});

function worldOf(jira: FakeJira): AccountWorld {
  const { site } = jira;
  const issuesOf = (key: string): FakeIssue[] => [...site.issues.values()].filter((issue) => issue.project === key);
  return {
    open: (through) => openFakeJira(jira, through),
    fill: (key) => fillProject(site, key),
    addForeign: (key, { empty }) => {
      addProject(site, { key, name: `Foreign ${key}` });
      if (!empty) add(site, key, 'Task', 'somebody works here');
    },
    count: (key) => issuesOf(key).length,
    clear: (key) => {
      for (const issue of issuesOf(key)) site.issues.delete(issue.id);
      site.links = site.links.filter(({ from, to }) => site.issues.has(from) && site.issues.has(to));
      site.projects.delete(key);
    },
    close: () => jira.close(),
  };
}

const NOW = '2026-01-01T00:00:00.000+0000';

const text = (...content: Record<string, unknown>[]) => ({
  type: 'doc' as const,
  version: 1,
  content: [{ type: 'paragraph', content }],
});

function add(
  site: JiraSite,
  key: string,
  type: string,
  summary: string,
  fields: Record<string, unknown> = {},
): FakeIssue {
  return createIssue(site, { fields: { project: { key }, issuetype: { name: type }, summary, ...fields } });
}

/** The child comes before its parent, links lead both ways, and a text speaks of an issue that comes later. */
function fillProject(site: JiraSite, key: string): void {
  addProject(site, { key, name: `Source ${key}` });
  addProject(site, { key: 'ELSE', name: 'Elsewhere' });
  const other = add(site, 'ELSE', 'Task', 'not of this company');
  const child = add(site, key, 'Task', 'child of a later epic', { labels: ['b', 'a'], priority: { name: 'High' } });
  const epic = add(site, key, 'Epic', 'epic', { duedate: '2026-12-24', assignee: { accountId: 'account-ana' } });
  child.parent = epic.id;
  const sub = add(site, key, 'Sub-task', 'sub', { parent: { key: child.key } });
  add(site, key, 'Task', 'gone').status = 'Done';
  const gone = [...site.issues.values()].at(-1)!;
  site.issues.delete(gone.id);
  const bug = add(site, key, 'Bug', 'bug', {
    customfield_10050: 3,
    customfield_10051: { value: 'South' },
    customfield_10052: `${key}-1 stays as it is`,
    description: text(
      { type: 'text', text: `see ${key}-1 in prose` },
      { type: 'inlineCard', attrs: { url: `${site.url}/browse/${key}-6` } },
      { type: 'text', text: 'linked', marks: [{ type: 'link', attrs: { href: `${site.url}/browse/${key}-1` } }] },
      { type: 'text', text: 'elsewhere', marks: [{ type: 'link', attrs: { href: `${site.url}/browse/ELSE-1` } }] },
    ),
  });
  const last = add(site, key, 'Task', 'last', { description: text({ type: 'text', text: 'plain' }) });
  bug.status = 'Done';
  sub.status = 'In Progress';
  for (const [i, words] of ['first', 'again', 'again'].entries()) {
    const properties = [{ key: 'colmeia.copied', value: { operation: 'an earlier one', from: '1' } }];
    bug.comments.push({ id: String(900 + i), body: text({ type: 'text', text: words }), created: NOW, properties });
  }
  const card = { type: 'inlineCard', attrs: { url: `${site.url}/browse/${last.key}` } };
  epic.comments.push({ id: '950', body: text(card), created: NOW, properties: [] });
  for (const [i, name] of ['a.txt', 'a.txt', 'b "ü".bin'].entries()) {
    const content = Buffer.alloc(100 + i, i);
    bug.attachments.push({ id: `70${i}`, filename: name, mimeType: 'text/plain', content, created: NOW });
  }
  const link = (type: string, from: FakeIssue, to: FakeIssue): number =>
    site.links.push({ id: `8${site.links.length}`, type, from: from.id, to: to.id });
  link('Blocks', bug, child);
  link('Blocks', child, bug);
  link('Relates', last, epic);
  link('Blocks', last, other);
  link('Relates', other, last);
}

import assert from 'node:assert/strict';
import { after, beforeEach, suite, test } from 'node:test';
import { createIssue } from '../../../test/fakes/jira/jira-issues.ts';
import { addProject } from '../../../test/fakes/jira/jira-projects.ts';
import type { FakeIssue, FakeProject } from '../../../test/fakes/jira/jira-site.ts';
import { openFakeJira } from '../../../test/fakes/jira/open-jira.ts';
import { type FakeJira, startJira } from '../../../test/fakes/jira-server.ts';
import { type CopyCounts, type CopyMemory, NEW_COPY } from '../../coordination/instances/outside-accounts.ts';
import type { JiraAccount } from './jira-account.ts';

process.env.AUDIT_SCHEMAS = 'true';

suite('A copy of Jira issues', async () => {
  const jira = await startJira();
  let target: FakeProject;
  after(() => jira.close());
  beforeEach(() => {
    jira.site.issues.clear();
    jira.site.projects.clear();
    jira.site.links = [];
    jira.requests.length = 0;
    jira.faults.clear();
    addProject(jira.site, { key: 'SRC', name: 'Source' });
    target = addProject(jira.site, { key: 'TGT', name: 'Target' });
  });

  test('takes few calls: 50 issues are made in one', async () => {
    for (let i = 0; i < 200; i++) add(jira, 'Task', { summary: `issue ${i}` });
    const account = openFakeJira(jira);
    const { calls } = await account.plan('SRC');
    jira.requests.length = 0;
    const counts = await copy(account);
    assert.equal(counts.items, 200);
    assert.ok(jira.requests.length <= 40, `${jira.requests.length} calls for 200 issues`);
    assert.ok(Math.abs(jira.requests.length - calls) <= 6, `${jira.requests.length} calls, planned were ${calls}`);
    const bulk = jira.requests.filter((call) => call.path === '/rest/api/3/issue/bulk');
    assert.equal(bulk.length, 4);
    assert.deepEqual(titles(jira, 'TGT'), titles(jira, 'SRC'));
  });

  test('has all comments of an issue, also those that do not come along with it', async () => {
    const body = (i: number) => ({ type: 'doc' as const, version: 1, content: [{ type: 'paragraph', attrs: { i } }] });
    const comments = Array.from({ length: 130 }, (_, i) => ({
      id: `${9_000 + i}`,
      body: body(i),
      created: NOW,
      properties: [],
    }));
    add(jira, 'Task', { summary: 'talked about' }).comments.push(...comments);
    const counts = await copy(openFakeJira(jira));
    assert.equal(counts.comments, 130);
    const copied = issuesOf(jira, 'TGT')[0]!.comments;
    assert.deepEqual(
      copied.map((one) => one.body),
      comments.map((one) => one.body),
    );
  });

  test('has the issues that the search does not show yet', async () => {
    for (let i = 0; i < 3; i++) add(jira, 'Task', { summary: `shown ${i}` });
    jira.site.indexLag = 1_000_000;
    for (let i = 0; i < 3; i++) add(jira, 'Task', { summary: `new ${i}` });
    const counts = await copy(openFakeJira(jira));
    jira.site.indexLag = 0;
    assert.equal(counts.items, 6);
  });

  test('stops when the credentials are taken away, and does not call that a refusal of the issue', async () => {
    add(jira, 'Task', { summary: 'one' }).comments.push({
      id: '1',
      body: { type: 'doc', version: 1, content: [] },
      created: NOW,
      properties: [],
    });
    jira.faults.add({ kind: 'answer', status: 401, body: {} }, { at: 'TGT-1/comment' });
    await assert.rejects(copy(openFakeJira(jira)), { code: 'OUTSIDE_REFUSED', message: /401/ });
  });

  test('keeps what was made after each batch, source and copy by key', async () => {
    for (let i = 0; i < 51; i++) add(jira, 'Task', { summary: `issue ${i}` });
    const kept: CopyMemory[] = [];
    await copy(openFakeJira(jira), { keep: async (memory) => void kept.push(memory) });
    assert.deepEqual(
      kept.map((memory) => [memory.made.length, memory.settled]),
      [
        [50, 0],
        [51, 0],
        [51, 50],
        [51, 51],
      ],
    );
    assert.deepEqual(kept.at(-1)!.made.at(-1), ['SRC-51', 'TGT-51']);
  });

  test('reports what the target has no place for, and makes the rest', async () => {
    target.screen.delete('customfield_10050');
    target.issueTypes = ['Task', 'Sub-task'];
    const gone = { accountId: 'account-gone' };
    jira.site.accounts.push('account-gone');
    add(jira, 'Epic', { summary: 'epic', customfield_10050: 5, assignee: gone });
    const task = add(jira, 'Task', { summary: 'task' });
    jira.site.accounts.pop();
    task.fields.components = [{ id: '1', name: 'Engine' }];
    task.fields.priority = { name: 'Urgent' };
    task.attachments.push({ id: '1', filename: 'big.bin', mimeType: 'x/y', content: Buffer.alloc(11), created: NOW });
    const counts = await copy(openFakeJira(jira, undefined, { attachmentLimitBytes: 10 }));
    assert.deepEqual(
      counts.left.map(({ what, items, examples }) => `${what}: ${items} (${examples.join()})`).toSorted(),
      [
        'attachments larger than 10 bytes: 1 (SRC-2 big.bin)',
        'field Points: 1 (SRC-1)',
        'field assignee: 1 (SRC-1)',
        'field components: 1 (SRC-2)',
        'issue type Epic: 1 (SRC-1)',
        'priority Urgent: 1 (SRC-2)',
      ],
    );
    // Jira took the epic at the second try only; in the records it comes first all the same.
    assert.deepEqual(titles(jira, 'TGT'), ['task', 'epic']);
    const summaries: unknown[] = [];
    for await (const record of openFakeJira(jira).records('TGT')) summaries.push(record.content.summary);
    assert.deepEqual(summaries, ['epic', 'task']);
  });

  test('reports an issue that Jira will not make, with its reason, and makes the others of its batch', async () => {
    target.issueTypes = ['Sub-task'];
    add(jira, 'Task', { summary: 'no type for it' });
    const counts = await copy(openFakeJira(jira));
    assert.equal(counts.items, 0);
    const what = 'issues not made: Specify an issue type';
    assert.deepEqual(counts.left, [{ what, items: 1, examples: ['SRC-1'] }]);
  });

  test('goes over other statuses where the workflow knows no direct way, and reports where there is none', async () => {
    target.workflow = { 'To Do': ['In Progress'], 'In Progress': ['Done'], Done: [] };
    add(jira, 'Task', { summary: 'done' }).status = 'Done';
    jira.site.statuses.push('Waiting');
    add(jira, 'Task', { summary: 'waiting' }).status = 'Waiting';
    const counts = await copy(openFakeJira(jira));
    assert.equal(issuesOf(jira, 'TGT')[0]!.status, 'Done');
    assert.deepEqual(counts.left, [{ what: 'status Waiting', items: 1, examples: ['SRC-2'] }]);
    jira.site.statuses.pop();
  });

  test('ends well on a site that limits calls, breaks off answers and falls silent', async () => {
    for (let i = 0; i < 60; i++) add(jira, 'Task', { summary: `issue ${i}` });
    const account = openFakeJira(jira, undefined, { timeoutMs: 300 });
    const limits = { 'retry-after': '0', 'ratelimit-reason': 'jira-burst-based' };
    jira.faults.add({ kind: 'answer', status: 429, headers: limits }, { times: 2, at: 'bulkfetch' });
    jira.faults.add({ kind: 'answer', status: 429, headers: limits }, { at: '/issue/bulk' });
    jira.faults.add({ kind: 'cut' }, { at: 'POST /rest/api/3/issue/bulk' });
    jira.faults.add({ kind: 'hang' }, { at: 'search/jql' });
    jira.faults.add({ kind: 'half' }, { at: 'createmeta' });
    await copy(account);
    assert.deepEqual(titles(jira, 'TGT'), titles(jira, 'SRC'));
  });

  test('finds what a call made whose answer was lost', async () => {
    for (let i = 0; i < 60; i++) add(jira, 'Task', { summary: `issue ${i}` });
    let isLost = false;
    const account = openFakeJira(jira, (send) => async (input, init) => {
      const response = await send(input, init);
      if (isLost || !String(input).endsWith('/issue/bulk')) return response;
      isLost = true;
      throw new Error('the answer was lost');
    });
    await copy(account);
    assert.deepEqual(titles(jira, 'TGT'), titles(jira, 'SRC'));
    const bulk = jira.requests.filter((call) => call.path.endsWith('/issue/bulk'));
    assert.equal(bulk.length, 2);
  });

  test('finds what it had made when it was killed before it could note it', async () => {
    for (let i = 0; i < 60; i++) add(jira, 'Task', { summary: `issue ${i}` });
    const keep = async (): Promise<void> => {
      throw new Error('killed');
    };
    await assert.rejects(copy(openFakeJira(jira), { keep }), { message: 'killed' });
    jira.requests.length = 0;
    await copy(openFakeJira(jira));
    assert.deepEqual(titles(jira, 'TGT'), titles(jira, 'SRC'));
    assert.equal(jira.requests.filter((call) => call.path === '/rest/api/3/issue/bulk').length, 1);
  });

  test('to another site leaves behind what only the first site has', async () => {
    const other = await startJira();
    after(() => other.close());
    other.site.linkTypes = other.site.linkTypes.slice(0, 1);
    addProject(other.site, { key: 'TGT', name: 'Target' });
    addProject(jira.site, { key: 'ELSE', name: 'Elsewhere' });
    const far = createIssue(jira.site, {
      fields: { project: { key: 'ELSE' }, issuetype: { name: 'Epic' }, summary: 'x' },
    });
    const one = add(jira, 'Task', { summary: 'one', parent: { key: far.key } });
    const two = add(jira, 'Task', { summary: 'two' });
    for (const [i, type] of ['Blocks', 'Relates'].entries()) {
      jira.site.links.push(
        { id: `${i}`, type, from: one.id, to: two.id },
        { id: `5${i}`, type, from: one.id, to: far.id },
      );
    }
    const run = { operationId: 'operation', memory: NEW_COPY, keep: async () => undefined, progress: () => undefined };
    const records = () => openFakeJira(jira).records('SRC');
    const { signal } = new AbortController();
    const counts = await openFakeJira(other).restore({ ...run, to: 'TGT', signal, records });
    assert.deepEqual(
      counts.left.map(({ what, examples }) => `${what}: ${examples.join()}`),
      ['links of type Relates: 1', 'links to issues of other projects: 1', 'parent of another project: 1'],
    );
    assert.equal(counts.links, 1);
    assert.deepEqual(titles(other, 'TGT'), ['one', 'two']);
  });

  test('leaves what people added to the copy in the meantime', async () => {
    const issue = add(jira, 'Task', { summary: 'one' });
    let memory: CopyMemory = NEW_COPY;
    const keep = async (kept: CopyMemory): Promise<void> => void (memory = kept);
    await copy(openFakeJira(jira), { keep });
    const [copied] = issuesOf(jira, 'TGT') as [FakeIssue];
    copied.attachments.push({ id: '1', filename: 'own.txt', mimeType: 'x/y', content: Buffer.alloc(1), created: NOW });
    addProject(jira.site, { key: 'ELSE', name: 'Elsewhere' });
    const other = createIssue(jira.site, {
      fields: { project: { key: 'ELSE' }, issuetype: { name: 'Task' }, summary: 'x' },
    });
    jira.site.links.push({ id: '1', type: 'Blocks', from: copied.id, to: issue.id });
    jira.site.links.push({ id: '2', type: 'Blocks', from: copied.id, to: other.id });
    createIssue(jira.site, { fields: { project: { key: 'TGT' }, issuetype: { name: 'Task' }, summary: 'own' } });
    await copy(openFakeJira(jira), { memory: { ...memory, settled: 0 } });
    assert.equal(copied.attachments.length, 1);
    assert.equal(jira.site.links.length, 2);
    assert.deepEqual(titles(jira, 'TGT'), ['one', 'own']);
  });
});

const NOW = '2026-01-01T00:00:00.000+0000';

function add(jira: FakeJira, type: string, fields: Record<string, unknown>): FakeIssue {
  return createIssue(jira.site, { fields: { project: { key: 'SRC' }, issuetype: { name: type }, ...fields } });
}

function issuesOf(jira: FakeJira, key: string): FakeIssue[] {
  return [...jira.site.issues.values()].filter((issue) => issue.project === key);
}

function titles(jira: FakeJira, key: string): unknown[] {
  return issuesOf(jira, key).map((issue) => issue.fields.summary);
}

async function copy(
  account: JiraAccount,
  more: { memory?: CopyMemory; keep?: (memory: CopyMemory) => Promise<void> } = {},
): Promise<CopyCounts> {
  const { memory = NEW_COPY, keep = async () => undefined } = more;
  const { signal } = new AbortController();
  const ends = { from: 'SRC', to: 'TGT' };
  return await account.copy({ ...ends, operationId: 'operation', memory, keep, progress: () => undefined, signal });
}

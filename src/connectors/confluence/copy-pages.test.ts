import assert from 'node:assert/strict';
import type { ProjectAccount } from '../../coordination/instances/outside-accounts.ts';
import { after, beforeEach, suite, test } from 'node:test';
import { addPage, addSpace, type FakePage, type FakeSpace } from '../../../test/fakes/confluence/confluence-site.ts';
import { openFakeConfluence } from '../../../test/fakes/confluence/open-confluence.ts';
import { startConfluence } from '../../../test/fakes/confluence-server.ts';
import {
  type CopyCounts,
  type CopyMemory,
  type CopyOptions,
  NEW_COPY,
} from '../../coordination/instances/outside-accounts.ts';

process.env.AUDIT_SCHEMAS = 'true';

suite('A copy of Confluence pages', async () => {
  const confluence = await startConfluence();
  const { site } = confluence;
  const account = openFakeConfluence(confluence);
  let source: FakeSpace;
  let target: FakeSpace;
  after(() => confluence.close());
  beforeEach(() => {
    site.pages.clear();
    site.spaces.clear();
    confluence.requests.length = 0;
    source = addSpace(site, { key: 'SRC', name: 'Source' });
    target = addSpace(site, { key: 'TGT', name: 'Target' });
  });

  const add = (title: string, body: string, parentId = source.homepageId): FakePage =>
    addPage(site, { spaceId: source.id, title, parentId, body });
  const bodyOf = (title: string): string | undefined =>
    [...site.pages.values()].find((page) => page.spaceId === target.id && page.title === title)?.body;

  async function bodies(key: string, orders: Readonly<Record<string, number>>): Promise<unknown[]> {
    const list: unknown[] = [];
    const issueOrder = (issue: string): number | null => orders[issue] ?? null;
    for await (const record of account.records(key, { issueOrder })) list.push(record.content.body);
    return list;
  }

  async function copy(more: Partial<CopyOptions> = {}): Promise<CopyCounts> {
    const { signal } = new AbortController();
    const run = { operationId: 'operation', memory: NEW_COPY, keep: async () => undefined, progress: () => undefined };
    return await account.copy({ ...run, from: 'SRC', to: 'TGT', signal, ...more });
  }

  test('takes five calls a page', async () => {
    for (let i = 0; i < 100; i++) add(`page ${i}`, `<p>${i}</p>`);
    const { items } = await copy();
    assert.equal(items, 101);
    assert.ok(confluence.requests.length <= 5.3 * items, `${confluence.requests.length} calls for ${items} pages`);
  });

  test('leads to the copies of issues that were copied along, and to the others as before', async () => {
    const macro = (key: string) =>
      `<ac:structured-macro ac:name="jira"><ac:parameter ac:name="key">${key}</ac:parameter></ac:structured-macro>`;
    add('Issues', `${macro('SRC-1')}${macro('SRC-2')}<p>SRC-1</p>`);
    await copy({ issueKey: (key) => (key === 'SRC-1' ? 'TGT-9' : null) });
    assert.equal(bodyOf('Issues'), `${macro('TGT-9')}${macro('SRC-2')}<p>SRC-1</p>`);
    assert.deepEqual(await bodies('TGT', { 'TGT-9': 1 }), await bodies('SRC', { 'SRC-1': 1 }));
    assert.notDeepEqual(await bodies('TGT', { 'TGT-9': 2 }), await bodies('SRC', { 'SRC-1': 1 }));
  });

  test('makes the home page of the source that of the target', async () => {
    const home = site.pages.get(source.homepageId)!;
    home.title = 'Welcome';
    home.body = '<p>home</p>';
    add('Target Home', '<p>a page with the name that the home page of the target had</p>');
    await copy();
    const copied = site.pages.get(target.homepageId)!;
    assert.deepEqual([copied.title, copied.body], ['Welcome', '<p>home</p>']);
    assert.match(bodyOf('Target Home')!, /a page with the name/);
  });

  test('reports a page that Confluence will not take, and puts what was below it under the home page', async () => {
    const bad = add('bad', '<p>unclosed');
    add('child', '<p>x</p>', bad.id);
    add('link', `<p><a href="/wiki/spaces/SRC/pages/${bad.id}">bad</a></p>`);
    const counts = await copy();
    assert.deepEqual(
      counts.left.toSorted((a, b) => (a.what < b.what ? -1 : 1)),
      [
        { what: 'links to pages that could not be made', items: 1, examples: ['link'] },
        { what: 'pages not made: confluence: Error parsing xhtml', items: 1, examples: ['bad'] },
      ],
    );
    const child = [...site.pages.values()].find((page) => page.spaceId === target.id && page.title === 'child')!;
    assert.equal(child.parentId, target.homepageId);
  });

  test('reports a file that Confluence will not take, and goes on', async () => {
    const file = (title: string) => ({
      id: `att${title}`,
      title,
      mediaType: 'x/y',
      content: Buffer.alloc(9),
      version: 1,
    });
    add('files', '<p>x</p>').attachments.push(file('a'), file('b'));
    confluence.faults.add({ kind: 'answer', status: 413, body: {} }, { at: 'PUT /wiki/rest/api/content' });
    const counts = await copy();
    assert.deepEqual(counts.left, [
      { what: 'attachment refused: answered 413 to an upload', items: 1, examples: ['files'] },
    ]);
    assert.equal(counts.attachments, 1);
  });

  test('reports searches for issues and pages out of folders', async () => {
    const body =
      '<ac:structured-macro ac:name="jira"><ac:parameter ac:name="jqlQuery">x</ac:parameter></ac:structured-macro>';
    add('search', body).parentId = '4711';
    const counts = await copy();
    assert.deepEqual(
      counts.left.map((one) => one.what),
      ['folders above pages', 'searches for issues inside pages: they search as in the source'],
    );
  });

  test('writes again only what is not as it should be', async () => {
    const first = add('first', '');
    first.body = `<p><a href="/wiki/spaces/SRC/pages/${add('second', '<p>x</p>').id}/x">second</a></p>`;
    let memory: CopyMemory = NEW_COPY;
    await copy({ keep: async (kept) => void (memory = kept) });
    const versions = [...site.pages.values()].map((page) => page.version);
    await copy({ memory: { ...memory, settled: 0 } });
    assert.deepEqual(
      [...site.pages.values()].map((page) => page.version),
      versions,
    );
  });

  test('has the pages below one page in the order that people gave them', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((title) => add(title, '<p>x</p>')) as [FakePage, FakePage, FakePage];
    [a.position, b.position, c.position] = [3, 1, 2];
    await copy();
    const copies = [...site.pages.values()].filter((page) => page.parentId === target.homepageId);
    const sorted = copies.toSorted((one, other) => one.position - other.position);
    assert.deepEqual(
      sorted.map((page) => page.title),
      ['b', 'c', 'a'],
    );
  });

  test('takes a change for done whose answer was lost', async () => {
    const later = add('later', '<p>x</p>');
    site.pages.get(source.homepageId)!.body = `<p><a href="/wiki/spaces/SRC/pages/${later.id}/x">later</a></p>`;
    confluence.faults.add({ kind: 'lost' }, { times: 2, at: 'PUT /wiki/api/v2/pages' });
    confluence.faults.add({ kind: 'lost' }, { at: 'POST /wiki/api/v2/pages' });
    const counts = await copy();
    assert.deepEqual([counts.items, counts.links, counts.left], [2, 1, []]);
  });

  test('pages are made, found and changed one by one', async () => {
    const id = await account.pages.create({ space: 'TGT', title: 'one', body: '<p>1</p>' });
    assert.equal(await account.pages.create({ space: 'TGT', title: 'one', body: '<p>other</p>' }), id);
    await account.pages.update({ id, title: 'one', body: '<p>2</p>' });
    assert.deepEqual(await account.pages.find('TGT', 'one'), { id, title: 'one', body: '<p>2</p>' });
    assert.equal(await account.pages.find('TGT', 'none'), null);
    await assert.rejects(account.pages.find('NONE', 'one'), { code: 'OUTSIDE_REFUSED', message: /no space NONE/ });
  });

  test('a token that may not make spaces is told what it needs', async () => {
    site.mayCreateSpaces = false;
    const { ok, detail } = await account.check();
    assert.equal(ok, false);
    assert.match(detail, /global permission Create spaces/);
    site.mayCreateSpaces = true;
    const body = { type: 'known', displayName: 'Bot' };
    confluence.faults.add({ kind: 'answer', status: 200, body });
    assert.deepEqual(await said(account), {
      ok: true,
      detail: 'Bot is known; the site does not say whether it may make spaces',
    });
  });
});

/** The check but for the clock, which is the machine's. */
async function said(account: ProjectAccount): Promise<{ ok: boolean; detail: string }> {
  const { ok, detail } = await account.check();
  return { ok, detail };
}

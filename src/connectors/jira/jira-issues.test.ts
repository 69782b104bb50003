import assert from 'node:assert/strict';
import type { ProjectAccount } from '../../coordination/instances/outside-accounts.ts';
import { after, suite, test } from 'node:test';
import { addProject } from '../../../test/fakes/jira/jira-projects.ts';
import { openFakeJira } from '../../../test/fakes/jira/open-jira.ts';
import { startJira } from '../../../test/fakes/jira-server.ts';
import { ColmeiaError } from '../../platform/errors.ts';

process.env.AUDIT_SCHEMAS = 'true';

suite('Jira', async () => {
  const jira = await startJira();
  const account = openFakeJira(jira);
  after(() => jira.close());

  test('issues are made, commented on, linked, moved and found', async () => {
    addProject(jira.site, { key: 'ORCH', name: 'Orchestration' });
    const first = await account.issues.create({ project: 'ORCH', type: 'Bug', summary: 'first', labels: ['x'] });
    const description = 'one\n\ntwo';
    const second = await account.issues.create({ project: 'ORCH', type: 'Task', summary: 'second', description });
    await account.issues.comment(first, 'a comment');
    await account.issues.link('Blocks', first, second);
    assert.equal(await account.issues.transition(first, 'Done'), true);
    assert.equal(await account.issues.transition(second, 'Nowhere'), false);
    assert.deepEqual(await account.issues.search('project = "ORCH" AND labels = "x"'), [
      { key: first, summary: 'first', status: 'Done', labels: ['x'], url: `${jira.url}/browse/${first}` },
    ]);
    assert.equal((await account.issues.search('project = "ORCH"', 1)).length, 1);
    assert.deepEqual(await account.inventory('ORCH'), { items: 2, links: 1, attachments: 0, bytes: 0 });
  });

  test('a search gives all issues, whatever the pages of it are like', async () => {
    addProject(jira.site, { key: 'MANY', name: 'Many' });
    for (let i = 0; i < 40; i++) await account.issues.create({ project: 'MANY', type: 'Task', summary: `${i}` });
    Object.assign(jira.site, { tokenTraps: true, pageSizes: [3, 1, 5, 2] });
    const found = await account.issues.search('project = "MANY" ORDER BY key ASC', 100);
    Object.assign(jira.site, { tokenTraps: false, pageSizes: [] });
    assert.deepEqual(
      found.map((issue) => issue.summary),
      Array.from({ length: 40 }, (_, i) => `${i}`),
    );
  });

  test('the project that all companies share is made once, and belongs to the hive', async () => {
    jira.site.projects.delete('ORCH');
    jira.site.issues.clear();
    const made = await account.ensureGlobal('hive');
    assert.deepEqual(await account.ensureGlobal('hive'), made);
    assert.deepEqual(made, { kind: 'jira-project', id: 'ORCH', site: jira.url });
    await assert.rejects(account.ensureGlobal('another'), { code: 'OUTSIDE_REFUSED' });
  });

  test('a name that is taken is no obstacle, a key is', async () => {
    addProject(jira.site, { key: 'OTHER', name: 'Acme' });
    const spec = { key: 'ACME', name: 'Acme', description: 'd', instance: 'acme', named: false };
    await account.ensure(spec);
    assert.equal(jira.site.projects.get('ACME')!.name, 'Acme 2');
    await assert.rejects(account.ensure({ ...spec, key: 'OTHER' }), {
      message:
        'Jira project OTHER ("Acme") is there already and it is not of this company; set jira.project_key in atlassian.config.json to a free key, as OTHER1',
    });
  });

  test('a token that may not make projects is told what it needs, one that may everything is told as well', async () => {
    jira.site.permissions.delete('ADMINISTER');
    assert.deepEqual(await said(account), {
      ok: false,
      detail: 'Bot may not make projects: it needs the global permission Administer Jira',
    });
    jira.site.permissions.add('ADMINISTER').add('SYSTEM_ADMIN');
    assert.deepEqual(await said(account), {
      ok: true,
      detail: 'Bot may more than is needed: it is a system administrator',
    });
  });

  test('an answer of another shape than Jira documents is refused, without a word of what it says', async () => {
    jira.faults.add({ kind: 'answer', status: 200, body: { issues: 'customer data' } }, { at: 'bulkfetch' });
    await assert.rejects(
      account.issues.search('project = "ACME"').then(() => account.inventory('ACME')),
      (error) => {
        assert.ok(error instanceof ColmeiaError);
        assert.equal(error.code, 'OUTSIDE_UNAVAILABLE');
        assert.match(error.message, /bulkfetch: an answer of another shape \(issues: invalid_type\)/);
        assert.doesNotMatch(error.message, /customer/);
        return true;
      },
    );
  });

  test('a search that goes round in circles is given up', async () => {
    const same = { issues: [], nextPageToken: 'again', isLast: false };
    jira.faults.add({ kind: 'answer', status: 200, body: same }, { times: 100, at: 'search/jql' });
    await assert.rejects(account.issues.search('project = "ACME"'), { message: /round in circles/ });
    jira.faults.clear();
  });
});

/** The check but for the clock, which is the machine's. */
async function said(account: ProjectAccount): Promise<{ ok: boolean; detail: string }> {
  const { ok, detail } = await account.check();
  return { ok, detail };
}

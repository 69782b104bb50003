import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { layOutCompany, registeredCompany, temporaryInstances } from './company-folder.testing.ts';
import { findDifferences, listCompanyFolders } from './reconcile.ts';

const folder = (name: string, config: object | null) => ({
  name,
  folder: `/instances/${name}`,
  config: config === null ? null : { name, ...config },
});

describe('findDifferences', () => {
  it('finds nothing where registry and folders agree, or the folder is silent', () => {
    const rows = [registeredCompany('a', { budget_usd: 5 }), registeredCompany('b'), registeredCompany('c')];
    const folders = [folder('a', { tier: 'bronze', budget_usd: 5 }), folder('b', {}), folder('c', null)];
    assert.deepEqual(findDifferences(rows, folders), []);
  });

  it('finds folders that are missing, companies that are not registered, and settings that differ', () => {
    const rows = [registeredCompany('a', { budget_usd: null }), registeredCompany('gone', { folder: '/far/gone' })];
    const folders = [folder('new', {}), folder('a', { tier: 'gold', budget_usd: 9, name: 'b' })];
    assert.deepEqual(findDifferences(rows, folders), [
      { name: 'a', kind: 'setting', setting: 'budget_usd', registry: null, folder: 9 },
      { name: 'a', kind: 'setting', setting: 'name', registry: 'a', folder: 'b' },
      { name: 'a', kind: 'setting', setting: 'tier', registry: 'bronze', folder: 'gold' },
      { name: 'gone', kind: 'folder-missing', setting: '', registry: '/far/gone', folder: null },
      { name: 'new', kind: 'not-registered', setting: '', registry: null, folder: '/instances/new' },
    ]);
  });

  it('leaves a company alone that is being deleted', () => {
    const rows = [registeredCompany('a', { state: 'deleting' }), registeredCompany('b', { state: 'deleting' })];
    assert.deepEqual(findDifferences(rows, [folder('a', { tier: 'gold' })]), []);
  });
});

describe('listCompanyFolders', () => {
  it('lists registered folders wherever they are, and others that have a config.json', async () => {
    const instances = temporaryInstances();
    const elsewhere = await layOutCompany(temporaryInstances(), 'far');
    await layOutCompany(instances, 'found');
    await layOutCompany(instances, 'broken');
    fs.writeFileSync(path.join(instances, 'broken', 'config.json'), '{');
    for (const name of ['notes', '.making-x', 'Upper']) fs.mkdirSync(path.join(instances, name));
    fs.mkdirSync(path.join(instances, 'bare'));
    const rows = [
      registeredCompany('far', { folder: elsewhere }),
      registeredCompany('bare'),
      registeredCompany('gone'),
    ];
    const folders = await listCompanyFolders(instances, rows);
    assert.deepEqual(
      folders.map(({ name, folder: at, config }) => [name, at === path.join(instances, name), config?.name ?? null]),
      [
        ['bare', true, null],
        ['broken', true, null],
        ['far', false, 'far'],
        ['found', true, 'found'],
      ],
    );
  });

  it('has none where there is no folder of companies', async () => {
    assert.deepEqual(await listCompanyFolders(path.join(temporaryInstances(), 'x'), []), []);
  });
});

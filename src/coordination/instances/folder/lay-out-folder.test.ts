import assert from 'node:assert/strict';
import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { COMPANY_VALUES, layOutCompany, temporaryInstances } from './company-folder.testing.ts';
import { layOutFolder } from './lay-out-folder.ts';
import { readFolder } from './read-folder.ts';
import { listTemplates, readTemplate } from './template.ts';

const filesOf = (folder: string): string[] =>
  fs
    .readdirSync(folder, { withFileTypes: true, recursive: true })
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();

describe('layOutFolder', () => {
  for (const template of ['default', 'shop']) {
    it(`lays out the template ${template} with nothing to fault`, async () => {
      const folder = await layOutCompany(temporaryInstances(), 'acme', template);
      const reading = await readFolder(folder);
      assert.deepEqual(reading.faults, []);
      assert.equal(reading.config?.display_name, 'Acme "Ltd"');
      assert.equal(reading.config?.budget_usd, null);
    });
  }

  it('knows every template by the name of its folder', async () => {
    assert.deepEqual(await listTemplates(), ['default', 'shop']);
  });

  it('gives a template the files of the default one, and its own', async () => {
    const reading = await readFolder(await layOutCompany(temporaryInstances(), 'acme', 'shop'));
    assert.deepEqual(
      reading.components.map(({ name, manifest }) => [name, manifest?.version]),
      [['orders', '1.0.0']],
    );
    assert.deepEqual(
      [...reading.migrations, ...reading.seeds].map(({ origin, version, name }) => [origin, version, name]),
      [
        ['orders', 1, 'orders'],
        ['orders', 0, 'customers'],
      ],
    );
  });

  it('keeps folders and files to their user', { skip: process.platform === 'win32' }, async () => {
    const folder = await layOutCompany(temporaryInstances(), 'acme', 'shop');
    for (const file of ['', ...filesOf(folder)]) {
      const stats = fs.statSync(path.join(folder, file));
      assert.equal((stats.mode & 0o777).toString(8), stats.isDirectory() ? '700' : '600', file);
    }
  });

  it('points every $schema at a schema that is there, also from a folder elsewhere', async () => {
    const instancesFolder = temporaryInstances();
    const elsewhere = path.join(temporaryInstances(), 'far', 'away');
    const layout = {
      instancesFolder,
      name: 'acme',
      template: 'shop',
      values: COMPANY_VALUES,
      ifExists: 'refuse',
    } as const;
    for (const own of [null, elsewhere]) {
      const folder = await layOutFolder({ ...layout, folder: own });
      for (const file of filesOf(folder).filter((name) => name.endsWith('.json'))) {
        const { $schema } = JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8')) as { $schema: string };
        assert.ok(fs.existsSync(path.resolve(folder, path.dirname(file), $schema)), `${file}: ${$schema}`);
      }
    }
  });

  it('lets one of two that lay out the same company at once win, and leaves no draft', async () => {
    const instances = temporaryInstances();
    const both = await Promise.allSettled([layOutCompany(instances), layOutCompany(instances)]);
    assert.deepEqual(both.map((one) => one.status).sort(), ['fulfilled', 'rejected']);
    const [lost] = both.filter((one) => one.status === 'rejected');
    assert.equal((lost!.reason as { code: string }).code, 'INSTANCE_EXISTS');
    assert.deepEqual(fs.readdirSync(instances).sort(), ['.schemas', 'acme']);
  });

  it('completes a folder that is there without touching what a person wrote', async () => {
    const instancesFolder = temporaryInstances();
    const folder = await layOutCompany(instancesFolder, 'acme', 'shop');
    fs.rmSync(path.join(folder, 'microservices/orders'), { recursive: true });
    fs.rmSync(path.join(folder, 'mcp.json'));
    fs.writeFileSync(path.join(folder, 'config.json'), '{ "name": "acme", "tier": "gold" }');
    const layout = { instancesFolder, name: 'acme', folder: null, template: 'shop', values: COMPANY_VALUES } as const;
    await layOutFolder({ ...layout, ifExists: 'complete' });
    const reading = await readFolder(folder);
    assert.deepEqual(
      [reading.config?.tier, reading.mcp, reading.components],
      ['gold', { ...reading.mcp, mcpServers: {} }, []],
    );
  });

  it('completes nothing through a link', { skip: process.platform === 'win32' }, async () => {
    const instancesFolder = temporaryInstances();
    const elsewhere = temporaryInstances();
    fs.symlinkSync(elsewhere, path.join(instancesFolder, 'acme'));
    const layout = {
      instancesFolder,
      name: 'acme',
      folder: null,
      template: 'default',
      values: COMPANY_VALUES,
    } as const;
    await assert.rejects(layOutFolder({ ...layout, ifExists: 'complete' }), { code: 'INSTANCE_INVALID' });
    assert.deepEqual(fs.readdirSync(elsewhere), []);
  });

  for (const [step, calls] of [
    ['open', 12],
    ['open', 18],
    ['rename', 6],
  ] as const)
    it(`leaves nothing of the company when the disk is full at ${step} ${calls}`, async (test) => {
      const instances = temporaryInstances();
      const real = fsPromises[step] as (...args: unknown[]) => Promise<never>;
      let count = 0;
      test.mock.method(fsPromises, step, (...args: unknown[]) => {
        if (++count === calls) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
        return real(...args);
      });
      await assert.rejects(layOutCompany(instances, 'acme', 'shop'), { code: 'ENOSPC' });
      assert.deepEqual(fs.readdirSync(instances), ['.schemas']);
    });

  it('refuses names that lead elsewhere, and templates that are not there', async () => {
    const instances = temporaryInstances();
    for (const name of ['../x', 'a/b', '', '.', 'ä', 'A', 'x'.repeat(200), 'a\u0000'])
      await assert.rejects(layOutCompany(instances, name), { code: 'INVALID_REQUEST' }, name);
    await assert.rejects(layOutCompany(instances, 'acme', 'shopp'), /did you mean shop\?/);
    await assert.rejects(layOutCompany(instances, 'acme', '../default'), { code: 'INVALID_REQUEST' });
    assert.deepEqual(fs.readdirSync(instances), []);
  });
});

describe('readTemplate', () => {
  it('refuses a token that it does not know', async () => {
    const { locale: _, ...lacking } = { ...COMPANY_VALUES, name: 'acme', schemas: '../.schemas' };
    await assert.rejects(readTemplate('default', lacking as never), /config\.json: @@locale@@ is no token/);
  });
});

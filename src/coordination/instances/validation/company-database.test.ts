import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { CompanyPlace } from '../databases/company-databases.ts';
import { openCompanyDatabases } from '../databases/open-company-databases.ts';
import { layOutCompany, temporaryInstances } from '../folder/company-folder.testing.ts';
import { readCompanySql } from '../folder/read-folder.ts';
import { checkDatabase } from './check-database.ts';

const databases = await openCompanyDatabases({
  databaseUrl: null,
  dataFolder: null,
  secrets: { reveal: async () => null, put: async () => 1 } as never,
});
after(() => databases.close());

describe('a company of the template shop', () => {
  const place: CompanyPlace = { id: 'acme', instance: 'acme', strategy: 'hybrid', url: null };

  it('has a database without any fault once it is initialized', async () => {
    const { migrations, seeds } = await readCompanySql(await layOutCompany(temporaryInstances(), 'acme', 'shop'));
    await databases.provision(place);
    const before = checkDatabase(await databases.inspect(place), migrations);
    assert.deepEqual(new Set(before.map(({ code }) => code)), new Set(['MIGRATION_PENDING']));
    await databases.migrate(place, migrations);
    assert.deepEqual(await databases.seed(place, seeds), ['orders/customers']);
    assert.deepEqual(checkDatabase(await databases.inspect(place), migrations), []);
    const count = (claims?: { role: 'anon' }) =>
      databases.use(place, 'read', (sql) => sql.query('select count(*) as n from customer'), claims);
    assert.deepEqual(await count(), [{ n: 2 }]);
    assert.deepEqual(await count({ role: 'anon' }), [{ n: 0 }]);
  });

  it('has a fault for every table that somebody left open', async () => {
    await databases.use(place, 'write', async (sql) => {
      await sql.query('create table open (id int)');
      await sql.query('alter table customer no force row level security');
    });
    const faults = checkDatabase(await databases.inspect(place), []);
    const found = faults.map(({ code, place: at }) => `${code} ${at}`);
    assert.deepEqual(found.filter((one) => one.startsWith('RLS')).sort(), [
      'RLS_NOT_FORCED table customer',
      'RLS_OFF table open',
    ]);
  });
});

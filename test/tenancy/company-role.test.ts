// What the database itself gives to a company's role, whatever the code above asks it for.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openStore } from '../../src/platform/store/open-store.ts';
import type { Row, Store } from '../../src/platform/store/store.ts';

const OURS = { as: 'company', instance: 'ours' } as const;
const FLEET = { as: 'coordinator' } as const;

/** Everything that there may be of a company beside plans and keys, for `theirs`, `ours` and the fleet. */
const ROWS = `
insert into instance (name) values ('ours'), ('theirs') on conflict do nothing;
insert into api_key (key_id, hash, instance, kind, created_by) select 'key-' || n, n::bytea, n, 'company', 'test' from unnest(array['ours', 'theirs']) n;
insert into former_name select n, 1, 'former-' || n from unnest(array['ours', 'theirs']) n;
insert into instance_owner (instance, principal, added_by) select n, 'user:' || n, 'test' from unnest(array['ours', 'theirs']) n;
insert into secret_key (instance, no, master, wrapped) select n, 1, 'm', 'w' from unnest(array['ours', 'theirs', '$system']) n;
insert into secret (instance, name, version, key_no, sealed, created_by) select n, 'token', 1, 1, 's', 'test' from unnest(array['ours', 'theirs', '$system']) n;
insert into instance_resource (instance, kind, id) select n, 'folder', '/' || n from unnest(array['ours', 'theirs']) n;
insert into instance_operation (id, instance, kind, input, state, by, runner) select 'op-' || n, n, 'init', '{}', 'completed', 'test', 'r' from unnest(array['ours', 'theirs']) n;
insert into instance_statistics (instance) select n from unnest(array['ours', 'theirs']) n on conflict do nothing`;

describe('the role of a company in the database', () => {
  let store: Store;
  before(async () => {
    store = await openStore({ databaseUrl: null, dataFolder: null });
    for (const statement of ROWS.split(';\n')) await store.write(FLEET, (sql) => sql.query(statement));
  });
  after(() => store.close());

  const asUs = (text: string, values: unknown[] = []): Promise<Row[]> =>
    store.write(OURS, (sql) => sql.query(text, values));
  const tables = async (): Promise<string[]> => {
    const rows = await store.read(FLEET, (sql) =>
      sql.query(
        `select relname::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')`,
      ),
    );
    return rows.map(({ name }) => String(name));
  };
  const readable = async (table: string): Promise<string[]> => {
    const rows = await asUs(
      `select attname::text as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped
         and has_column_privilege(attrelid, attnum, 'select') order by attnum`,
      [table],
    );
    return rows.map(({ name }) => String(name));
  };

  test('writes nowhere, into no column of any table', async () => {
    const wide = await asUs(
      `select c.relname || ' ' || p as found from pg_class c, unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')
         and case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'update') else has_table_privilege(c.oid, p)
           or (p in ('insert', 'update', 'references') and has_any_column_privilege(c.oid, p)) end`,
    );
    assert.deepEqual(wide, []);
  });

  test('may call none of our functions, make nothing, and is nobody else', async () => {
    const [may] = await asUs(
      `select (select count(*) from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname like 'colmeia%'
           and has_function_privilege(p.oid, 'execute')) as functions,
         has_schema_privilege('public', 'create') as creates,
         (select count(*) from pg_roles r where r.rolname <> current_user and pg_has_role(current_user, r.oid, 'MEMBER')) as roles`,
    );
    assert.deepEqual(may, { functions: 0, creates: false, roles: 0 });
  });

  test('sees no row of another company, nor of the fleet, in any table that it may read', async () => {
    let seen = 0;
    for (const table of await tables()) {
      const columns = await readable(table);
      if (columns.length === 0) continue;
      const whose = table === 'instance' ? 'name' : 'instance';
      assert.ok(columns.includes(whose), `${table} does not say whose its rows are`);
      const [all] = await store.read(FLEET, (sql) =>
        sql.query(`select count(*) as n from "${table}" where ${whose} = 'theirs'`),
      );
      const found = await asUs(`select distinct ${whose} as whose from "${table}"`);
      assert.ok(
        found.every((row) => row.whose === 'ours'),
        `${table}: ${JSON.stringify(found)}`,
      );
      if (Number(all!.n) > 0) seen++;
      if (Number(all!.n) > 0) assert.equal(found.length, 1, `${table} hides the company's own rows`);
    }
    assert.ok(seen >= 8, `only ${seen} tables held rows of the other company`);
  });

  test('reads nothing that is sealed, hashed or only for the machinery', async () => {
    assert.deepEqual(await readable('secret'), ['instance', 'name', 'version', 'created_by', 'created_at']);
    assert.deepEqual(await readable('secret_key'), []);
    const shown = 'id instance kind steps state error by rev started_at ended_at'.split(' ');
    assert.deepEqual(await readable('instance_operation'), shown);
    assert.ok(!(await readable('api_key')).includes('hash'));
    for (const text of [
      'select sealed from secret',
      'select * from secret',
      'select input from instance_operation',
      'select memory from instance_operation',
      'select * from secret_key',
      'select hash from api_key',
    ])
      await assert.rejects(asUs(text), { code: '42501' }, text);
  });
});

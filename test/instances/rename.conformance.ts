import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import { LOCAL_OPERATOR } from '../../src/index.ts';
import { completed } from './life.conformance.ts';

/** A kind of place for companies' databases. */
export type RenamePlace = {
  colmeia: Colmeia;
  instancesFolder: string;
  strategy: string;
  /** A database that somebody else made; null = Colmeia makes them. */
  url: string | null;
  /** Databases, roles, schemas and folders of companies that are there, whoever's they are. */
  remains(): Promise<string[]>;
  close(): Promise<void>;
};

const KEPT =
  'create table kept (n int); alter table kept enable row level security; alter table kept force row level security;\n';
const POLICY = 'create policy own on kept using (true) with check (true);';
/** A seed that fails unless the table has so many rows, and adds one. */
const counting = (rows: number): string =>
  `do $$ begin if (select count(*) from kept) <> ${rows} then raise exception 'not ${rows} rows'; end if; end $$;
   insert into kept values (${rows});`;

/** What a company with a database keeps when it is renamed, through the public face. */
export function renameConformance(kind: string, open: () => Promise<RenamePlace>): void {
  describe(`renaming a company with a database: ${kind}`, () => {
    const mark = randomBytes(3).toString('hex');
    const [old, now, copy] = ['mill', 'works', 'twin'].map((name) => `${name}-${mark}`) as [string, string, string];
    let place: RenamePlace;
    before(async () => void (place = await open()));
    after(() => place?.close());

    const folderOf = (name: string): string => path.join(place.instancesFolder, name);
    const write = (name: string, file: string, text: string): void => {
      fs.mkdirSync(path.dirname(path.join(folderOf(name), file)), { recursive: true });
      fs.writeFileSync(path.join(folderOf(name), file), text);
    };
    const resourcesOf = async (name: string): Promise<string[]> =>
      (await place.colmeia.instances.get(LOCAL_OPERATOR, name)).resources.map(({ kind: what, id }) => `${what} ${id}`);

    async function found(name: string, url: string | null): Promise<void> {
      const { instances, secrets } = place.colmeia;
      await instances.create(LOCAL_OPERATOR, { name, strategy: place.strategy });
      write(name, 'migrations/0001_kept.sql', KEPT + POLICY);
      write(name, 'seeds/0.sql', counting(0));
      if (url !== null) {
        const config = JSON.parse(fs.readFileSync(path.join(folderOf(name), 'config.json'), 'utf8')) as object;
        write(name, 'config.json', JSON.stringify({ ...config, database: { url: 'secret:database_url' } }));
        await secrets.set(LOCAL_OPERATOR, { instance: name, secret: 'database_url' }, { value: url });
      }
      await completed(place.colmeia, instances.init(LOCAL_OPERATOR, name));
    }
    async function count(name: string, rows: number): Promise<void> {
      write(name, `seeds/${rows}.sql`, counting(rows));
      const { applied } = await place.colmeia.instances.seed(LOCAL_OPERATOR, name);
      assert.deepEqual(applied, [`company/${rows}`]);
    }
    async function healthy(name: string): Promise<void> {
      const { health, faults } = await place.colmeia.instances.validate(LOCAL_OPERATOR, name);
      assert.deepEqual([health, faults.filter(({ severity }) => severity !== 'info')], ['healthy', []]);
    }

    test('it is read, written to, healthy and cloned; its old name goes to a company of its own; all of them go', async () => {
      const { instances } = place.colmeia;
      const before_ = await place.remains();
      await found(old, place.url);
      const resources = await resourcesOf(old);
      assert.ok(resources.length > 0 && !resources.join().includes('mill'), 'nothing outside tells its name');
      await completed(place.colmeia, instances.rename(LOCAL_OPERATOR, old, { to: now }));
      assert.equal(fs.existsSync(folderOf(old)), false);
      const config = JSON.parse(fs.readFileSync(path.join(folderOf(now), 'config.json'), 'utf8')) as { name: string };
      assert.equal(config.name, now);
      assert.deepEqual(await resourcesOf(now), resources, 'the database stays as it was');
      await count(now, 1);
      await healthy(now);
      const again = await completed(place.colmeia, instances.init(LOCAL_OPERATOR, now));
      assert.deepEqual([again.result?.migrations, again.result?.seeds], [0, []], 'it knows what ran');

      await found(old, null);
      const others = await resourcesOf(old);
      assert.deepEqual(
        others.filter((one) => resources.includes(one)),
        [],
        'the new one has a database of its own',
      );
      await count(old, 1);
      await count(now, 2);

      const names = [now, old];
      if (place.url === null) {
        const view = await completed(place.colmeia, instances.clone(LOCAL_OPERATOR, now, { target: copy }));
        assert.equal((view.result!.proof as { holds: boolean }).holds, true);
        await count(copy, 3);
        await count(now, 3);
        names.push(copy);
      }
      for (const name of names)
        await completed(place.colmeia, instances.remove(LOCAL_OPERATOR, name, { confirm: name, export: false }));
      assert.deepEqual(await place.remains(), before_);
    });
  });
}

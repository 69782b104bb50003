// Builds migrations/seed.tgz: a fresh PGlite database with every migration applied. Run it after a change to migrations/.
//   node scripts/build-seed.ts company    builds migrations/company/seed.tgz: without any migration, for companies' own databases
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { PGlite } from '@electric-sql/pglite';

import { migrate, readMigrations } from '../src/platform/store/migrate.ts';
import { COMPANY_SEED_FILE, packSeed, SEED_FILE, type SeedEntry } from '../src/platform/store/seed.ts';

const forCompanies = process.argv[2] === 'company';
const file = forCompanies ? COMPANY_SEED_FILE : SEED_FILE;
const folder = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-seed-')), 'database');
const pglite = await PGlite.create(folder, {
  initDbStartParams: ['--wal-segsize=1', '--allow-group-access', '--encoding=UTF8', '--locale-provider=libc'],
  startParams: [...PGlite.defaultStartParams, '-c', 'min_wal_size=2MB', '-c', 'max_wal_size=2MB'],
});
const migrations = forCompanies ? [] : readMigrations();
if (!forCompanies)
  await migrate(
    {
      script: async (text) => (await pglite.exec(text)).at(-1)?.command ?? '',
      query: async (text, values) => (await pglite.query<Record<string, unknown>>(text, [...values])).rows,
    },
    migrations,
  );
// The templates are two thirds of the files, and nobody creates a database in here.
for (const template of ['template0', 'template1']) {
  await pglite.exec(`update pg_database set datistemplate = false where datname = '${template}'`);
  await pglite.exec(`drop database ${template}`);
}
for (const statement of ['vacuum full', 'vacuum freeze', 'checkpoint', 'checkpoint']) await pglite.exec(statement);
await pglite.close();

const seed = packSeed({
  migrations: migrations.map(({ version, checksum }) => ({ version, checksum })),
  entries: list(),
});
fs.writeFileSync(file, seed);
fs.rmSync(path.dirname(folder), { recursive: true });
console.log(
  `${path.relative(process.cwd(), file)}: ${migrations.length} migrations, ${(seed.length / 1e6).toFixed(1)} MB`,
);

function list(inside = ''): SeedEntry[] {
  const entries = fs.readdirSync(path.join(folder, inside), { withFileTypes: true });
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry): SeedEntry[] => {
      const name = path.posix.join(inside, entry.name);
      if (entry.isDirectory()) return [{ path: name, content: null }, ...list(name)];
      return [{ path: name, content: fs.readFileSync(path.join(folder, name)) }];
    });
}

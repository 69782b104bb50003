import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

import { syncPath, syncTree } from './durable-fs.ts';
import { type Migration, MIGRATIONS_FOLDER } from './migrate.ts';

/**
 * A seed is a gzip tar of a fresh database, made by scripts/build-seed.ts: a first start unpacks it instead of running initdb.
 * Its first file names the migrations inside.
 */
export const SEED_FILE = path.join(MIGRATIONS_FOLDER, 'seed.tgz');
/** Of a company's own database: no migration is inside. */
export const COMPANY_SEED_FILE = path.join(MIGRATIONS_FOLDER, 'company', 'seed.tgz');
const ABOUT = 'seed.json';

export type SeedEntry = { path: string; content: Buffer | null /* null = a folder */ };
export type Seed = { migrations: { version: number; checksum: string }[]; entries: SeedEntry[] };

let loaded: Seed | undefined;

/** The seed of this version, read once. */
export function loadSeed(): Seed {
  return (loaded ??= unpackSeed(fs.readFileSync(SEED_FILE)));
}

/** Throws when the seed holds a migration that the code does not have in this form. Missing ones are applied on top of it. */
export function assertSeedFits(seed: Seed, migrations: readonly Migration[]): void {
  const fits = seed.migrations.every(({ checksum }, i) => migrations[i]?.checksum === checksum);
  if (!fits) throw new Error('migrations/seed.tgz was built from other migrations: run `npm run seed:build`.');
}

/** Unpacks into a sibling folder and renames it, so that a start that dies in the middle leaves no half of a database. */
export async function restoreSeed(seed: Seed, folder: string): Promise<void> {
  const temporary = `${folder}.new`;
  fs.rmSync(temporary, { recursive: true, force: true });
  fs.mkdirSync(temporary, { mode: 0o700 });
  for (const entry of seed.entries) {
    const target = path.join(temporary, entry.path);
    if (entry.content === null) fs.mkdirSync(target, { mode: 0o700 });
    else fs.writeFileSync(target, entry.content, { mode: 0o600 });
  }
  await syncTree(temporary);
  fs.renameSync(temporary, folder);
  syncPath(path.dirname(folder));
}

/** Folders before what they hold, in the order of `entries`. */
export function packSeed(seed: Seed): Buffer {
  const about = Buffer.from(JSON.stringify({ migrations: seed.migrations }));
  const blocks = [{ path: ABOUT, content: about }, ...seed.entries].flatMap(({ path: name, content }) => [
    tarHeader(name, content),
    content ?? Buffer.alloc(0),
    Buffer.alloc(padding(content?.length ?? 0)),
  ]);
  return zlib.gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]), { level: 9 });
}

export function unpackSeed(archive: Buffer): Seed {
  const tar = zlib.gunzipSync(archive);
  const entries: SeedEntry[] = [];
  for (let at = 0; tar[at] !== 0;) {
    const name = tarField(tar, at, 100);
    const size = Number.parseInt(tarField(tar, at + 124, 12), 8);
    const isFolder = tar[at + 156] === 0x35;
    entries.push({ path: name, content: isFolder ? null : tar.subarray(at + 512, at + 512 + size) });
    at += 512 + size + padding(size);
  }
  const about = entries.shift();
  if (about?.path !== ABOUT) throw new Error('This is not a seed of Colmeia.');
  return { migrations: JSON.parse(about.content!.toString()).migrations, entries };
}

const padding = (size: number): number => (512 - (size % 512)) % 512;

function tarField(tar: Buffer, start: number, length: number): string {
  return tar.toString('latin1', start, start + length).replace(/\0.*$/s, '');
}

function tarHeader(name: string, content: Buffer | null): Buffer {
  if (name.length > 99) throw new Error(`${name} is too long for a name in a tar archive.`);
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number): void => {
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  };
  header.write(name, 0, 'latin1');
  octal(content === null ? 0o700 : 0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content?.length ?? 0, 124, 12);
  octal(0, 136, 12);
  header.write(content === null ? '5' : '0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  header.fill(' ', 148, 156); // the checksum counts itself as blanks
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return header;
}

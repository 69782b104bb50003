import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startPostgres, type Postgres } from '../scripts/postgres.ts';

/** As many tickets as may run at once: a bench measures what the machine can do, not the cap that protects it. */
export const UNCAPPED = 1_000_000;

export type PlaceKind = 'postgres' | 'embedded';
/** An empty store on this machine's disk, with everything durable. */
export type Place = {
  kind: PlaceKind;
  databaseUrl: string | null;
  dataFolder: string | null;
  /** After the store is closed. */
  remove(): Promise<void>;
};

/** Fresh stores of both kinds; PostgreSQL starts with the first that needs it. fsync, synchronous_commit and full_page_writes on. */
export class Places {
  #postgres: Promise<Postgres> | null = null;
  #count = 0;

  async fresh(kind: PlaceKind): Promise<Place> {
    return kind === 'embedded' ? embeddedPlace() : this.#database();
  }

  async #database(): Promise<Place> {
    const postgres = await (this.#postgres ??= startPostgres({ fsync: true }));
    const name = `bench_${++this.#count}`;
    await asSuperuser(postgres.url, `create database ${name}`);
    const databaseUrl = postgres.url.replace(/\/postgres$/, `/${name}`);
    return {
      kind: 'postgres',
      databaseUrl,
      dataFolder: null,
      remove: () => asSuperuser(postgres.url, `drop database if exists ${name} with (force)`),
    };
  }

  async close(): Promise<void> {
    await (await this.#postgres)?.stop();
  }
}

async function embeddedPlace(): Promise<Place> {
  const folder = temporaryFolder('store');
  return {
    kind: 'embedded',
    databaseUrl: null,
    dataFolder: path.join(folder, 'data'),
    remove: async () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

/** Gone when the process ends, if not before. */
export function temporaryFolder(what: string): string {
  const folder = keptFolder(what);
  process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** For what the reader of a bench wants to look at later. */
export function keptFolder(what: string): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), `colmeia-bench-${what}-`));
}

/** One statement by the superuser, outside of every scope. */
export async function asSuperuser<R extends object = object>(url: string, statement: string): Promise<R[] & void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows as R[] & void;
  } finally {
    await client.end();
  }
}

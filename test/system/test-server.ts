import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { startPostgres } from '../../scripts/postgres.ts';
import { commonDatabase } from '../../src/coordination/instances/databases/place-names.ts';

/** A PostgreSQL for one file of tests. */
export type TestServer = {
  /** A new empty database; its URL. */
  database(): Promise<string>;
  stop(): Promise<void>;
};

/** The server of COLMEIA_TEST_DATABASE_URL, or one of its own. */
export async function openTestServer(): Promise<TestServer> {
  const given = process.env.COLMEIA_TEST_DATABASE_URL;
  const own = given === undefined ? await startPostgres() : null;
  const url = given ?? own!.url;
  const made: string[] = [];
  return {
    async database() {
      const name = `colmeia_${randomUUID().replaceAll('-', '')}`;
      await asAdmin(url, (client) => client.query(`create database ${name}`));
      made.push(name);
      const its = new URL(url);
      its.pathname = name;
      return its.href;
    },
    async stop() {
      if (own !== null) return own.stop();
      await asAdmin(url, async (client) => {
        for (const name of made.flatMap((one) => [one, commonDatabase(one)]))
          await client.query(`drop database if exists ${name} with (force)`);
      });
    },
  };
}

export async function asAdmin<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

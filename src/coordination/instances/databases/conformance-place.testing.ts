import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { type ErrorCode, isColmeiaError } from '../../../platform/errors.ts';
import { type Row } from '../../../platform/store/store.ts';
import { type CompanyDatabases, type CompanyPlace, type CopyOptions } from './company-databases.ts';

/** What the suite needs of a kind of place. */
export type ConformancePlace = {
  databases: CompanyDatabases;
  /** A place for a new company of this name; nothing is there yet. */
  place(instance: string): Promise<CompanyPlace>;
  /** Takes the company's database or schema away without Colmeia's knowledge. */
  destroy(place: CompanyPlace): Promise<void>;
  /** Longest transaction, ms, as the databases were opened with. */
  deadlineMs: number;
  /** false = the login is somebody else's, so its rights are not ours to say. */
  hasOwnRoles: boolean;
  /** Kinds of resources, as `drop` answers them. */
  kinds: string[];
  end(): Promise<void>;
};

export const refused =
  (code: ErrorCode, words = /./) =>
  (error: unknown): boolean =>
    isColmeiaError(error, code) && words.test(error.message);
export const sqlState =
  (...codes: string[]) =>
  (error: unknown): boolean =>
    codes.includes((error as { code?: string }).code ?? '');

export function copyOptions(signal = new AbortController().signal): CopyOptions {
  const workFolder = path.join(os.tmpdir(), 'colmeia-copy-test');
  fs.mkdirSync(workFolder, { recursive: true });
  return { workFolder, operationId: `op-${process.pid}`, progress: () => undefined, signal };
}

/** What tests do with the companies of a place. */
export type Companies = {
  /** A company with its base. */
  found(instance: string): Promise<CompanyPlace>;
  run(place: CompanyPlace, text: string): Promise<Row[]>;
  read(place: CompanyPlace, text: string): Promise<Row[]>;
};

export function companiesOf(at: () => ConformancePlace): Companies {
  return {
    async found(instance) {
      const place = await at().place(instance);
      await at().databases.provision(place);
      await at().databases.migrate(place, []);
      return place;
    },
    run: (place, text) => at().databases.use(place, 'write', (sql) => sql.query(text)),
    read: (place, text) => at().databases.use(place, 'read', (sql) => sql.query(text)),
  };
}

import fs from 'node:fs';
import path from 'node:path';

import { syncPath, syncTree } from '../../../../platform/store/durable-fs.ts';
import { type Session, sqlIdentifier, sqlLiteral } from '../../../../platform/store/transaction.ts';
import { type ResourceView } from '../../instance-views.ts';
import { type CompanyClaims, type CompanyPlace } from '../company-databases.ts';
import {
  type CompanyHost,
  type CompanySession,
  type Sight,
  type WholeCopy,
  type WholeCopyOptions,
} from '../company-host.ts';
import { COMMON_FOLDER, placeNames } from '../place-names.ts';
import { PREPARE_DATABASE, settingClaims } from '../prepare-database.ts';
import { type EmbeddedDatabase } from './embedded-database.ts';
import { EmbeddedPool, type EmbeddedPlace, type EmbeddedPoolOptions } from './embedded-pool.ts';
import { droppingGate, makingGate } from './gate.ts';

const DEADLINE_MS = 30_000;
/** Of a copy of a whole folder, and of statements that look at every row. */
const LONG_DEADLINE_MS = 10 * 60_000;

/**
 * Companies in PGlite: those with a database of their own in a folder each, the others in schemas of one common folder, where a
 * statement that hangs holds up the others of that folder until its deadline.
 */
export class EmbeddedHost implements CompanyHost {
  readonly #pool: EmbeddedPool;
  readonly ownDatabase = null;

  constructor(options: EmbeddedPoolOptions) {
    this.#pool = new EmbeddedPool(options);
  }

  intent(place: CompanyPlace): ResourceView {
    return place.strategy === 'schema'
      ? { kind: 'schema', id: this.schema(place), site: COMMON_FOLDER }
      : { kind: 'database', id: place.id, site: '' };
  }

  schema({ id, strategy }: CompanyPlace): string {
    return strategy === 'schema' ? placeNames(id).schema : 'public';
  }

  role({ id }: CompanyPlace): string {
    return placeNames(id).role;
  }

  claiming(claims: CompanyClaims): string {
    return settingClaims(claims);
  }

  provision(place: CompanyPlace): Promise<void> {
    return this.#pool.use(lyingAt(place), (database) => this.#prepare(database, place), { create: true });
  }

  async resources(place: CompanyPlace): Promise<ResourceView[]> {
    const at = lyingAt(place);
    if (place.strategy !== 'schema') return fs.existsSync(this.#pool.folder(at)) ? [this.intent(place)] : [];
    if (!this.#pool.exists(at)) return [];
    const { role, schema } = placeNames(place.id);
    const found = await this.#pool.use(at, (database) =>
      database.query(
        null,
        `select 'role' as kind, rolname::text as id from pg_catalog.pg_roles where rolname = $1
         union all select 'schema', nspname::text from pg_catalog.pg_namespace where nspname = $2 order by 1`,
        [role, schema],
        DEADLINE_MS,
      ),
    );
    return found.map(({ kind, id }) => ({ kind: String(kind), id: String(id), site: COMMON_FOLDER }));
  }

  async drop(place: CompanyPlace): Promise<void> {
    const at = lyingAt(place);
    if (place.strategy !== 'schema') return this.#pool.remove(at);
    if (!this.#pool.exists(at)) return;
    const { role, schema } = placeNames(place.id);
    await this.#pool.use(at, (database) =>
      database.script(
        `begin; ${droppingGate(role)}; drop schema if exists ${sqlIdentifier(schema)} cascade;
         do $$ begin if exists (select from pg_catalog.pg_roles where rolname = ${sqlLiteral(role)}) then
           drop owned by ${sqlIdentifier(role)}; drop role ${sqlIdentifier(role)}; end if; end $$; commit`,
        DEADLINE_MS,
      ),
    );
  }

  company<T>(place: CompanyPlace, work: (session: CompanySession) => Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
    return this.#pool.use(lyingAt(place), (database) => work(this.#companyOf(database, place, deadlineMs)));
  }

  sight<T>(place: CompanyPlace, work: (sight: Sight) => Promise<T>): Promise<T> {
    return this.#pool.use(lyingAt(place), (database) => work(this.#sightOf(database, place)));
  }

  async freeBytes(place: CompanyPlace): Promise<number | null> {
    const { bavail, bsize } = await fs.promises.statfs(this.#pool.folder(lyingAt(place)));
    return bavail * bsize;
  }

  /** A copy of the folder: what the source's queue waits for is a look at the rows, a checkpoint and the copying. */
  async copyWhole(source: CompanyPlace, target: CompanyPlace, options: WholeCopyOptions): Promise<WholeCopy> {
    let copy: WholeCopy | undefined;
    await this.#pool.replace(lyingAt(target), async (folder) => {
      const fresh = `${folder}.new`;
      await this.#pool.use(lyingAt(source), async (database) => {
        const from = performance.now();
        const frozenAt = new Date().toISOString();
        // Of the source itself: a look at the copy would not notice what the copying got wrong.
        await options.atFreezePoint(this.#sightOf(database, source), null);
        await database.copyTo(fresh, LONG_DEADLINE_MS);
        copy = { frozenAt, freezeMs: performance.now() - from };
      });
      await syncTree(fresh);
      await fs.promises.rm(folder, { recursive: true, force: true });
      await fs.promises.rename(fresh, folder);
      syncPath(path.dirname(folder));
    });
    const [was, is] = [this.role(source), this.role(target)];
    await this.#pool.use(lyingAt(target), async (database) => {
      const rename = `alter role ${sqlIdentifier(was)} rename to ${sqlIdentifier(is)}`;
      await database.script(`begin; ${droppingGate(was)}; ${rename}; commit`, DEADLINE_MS);
      await this.#prepare(database, target);
    });
    return copy!;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  #sightOf(database: EmbeddedDatabase, place: CompanyPlace): Sight {
    const owner: Session = {
      script: (text) => database.script(text, LONG_DEADLINE_MS),
      query: (text, values) => database.query(null, text, values, LONG_DEADLINE_MS),
    };
    const company = this.#companyOf(database, place, LONG_DEADLINE_MS);
    return { owner, company, schema: this.schema(place), role: this.role(place) };
  }

  #companyOf(database: EmbeddedDatabase, place: CompanyPlace, deadlineMs: number): CompanySession {
    const role = this.role(place);
    const setting = `set local search_path = ${sqlIdentifier(this.schema(place))}, pg_temp`;
    return {
      script: (text) => database.script(text.startsWith('begin') ? beginWith(setting, text) : text, deadlineMs),
      query: (text, values) => database.query(role, text, values, deadlineMs),
      run: (text) => database.run(role, text, deadlineMs),
    };
  }

  async #prepare(database: EmbeddedDatabase, place: CompanyPlace): Promise<void> {
    const { role } = placeNames(place.id);
    const [roleName, schema] = [sqlIdentifier(role), sqlIdentifier(this.schema(place))];
    const making = `do $$ begin if not exists (select from pg_catalog.pg_roles where rolname = ${sqlLiteral(role)}) then
      create role ${roleName} nologin; end if; end $$`;
    const owning =
      place.strategy === 'schema'
        ? `revoke all on schema public from public; revoke temporary on database postgres from public;
           create schema if not exists ${schema} authorization ${roleName}`
        : `alter database postgres owner to ${roleName}`;
    const statements = [...PREPARE_DATABASE, making, owning, makingGate(role)];
    await database.script(
      beginWith(`set local search_path = pg_catalog, pg_temp`, `begin; ${statements.join('; ')}; commit`),
      DEADLINE_MS,
    );
  }
}

/** Puts a setting right behind the `begin …;` of a script. */
function beginWith(setting: string, script: string): string {
  const end = script.indexOf(';');
  return `${script.slice(0, end)}; ${setting}; ${script.slice(end + 1)}`;
}

function lyingAt({ id, instance, strategy }: CompanyPlace): EmbeddedPlace {
  return strategy === 'schema'
    ? { folder: COMMON_FOLDER, whose: 'companies of the strategy schema' }
    : { folder: id, whose: instance };
}

import { randomBytes } from 'node:crypto';

import { ColmeiaError } from '../../../../platform/errors.ts';
import { Secret } from '../../../../platform/secret.ts';
import { type Row } from '../../../../platform/store/store.ts';
import { type Session, sqlIdentifier, sqlLiteral } from '../../../../platform/store/transaction.ts';
import { type ResourceView } from '../../instance-views.ts';
import { type CompanyClaims, type CompanyPlace, type CompanySecrets } from '../company-databases.ts';
import {
  type CompanyHost,
  type CompanySession,
  type Sight,
  type WholeCopy,
  type WholeCopyOptions,
} from '../company-host.ts';
import { commonDatabase, placeNames } from '../place-names.ts';
import { PREPARE_DATABASE, settingClaims } from '../prepare-database.ts';
import {
  asOneStatement,
  type CompanyConnections,
  TERMINATE,
  type Terminate,
  withClient,
} from './company-connections.ts';
import { copyServerDatabase } from './copy-server-database.ts';
import { denied, explainDenied } from './explain-error.ts';
import { scramVerifier } from './scram-verifier.ts';

const DEADLINE_MS = 60_000;
const LONG_DEADLINE_MS = 10 * 60_000;
/** Name under which the password of a company's role is kept. */
const PASSWORD = 'database_password';

export type ServerHostOptions = {
  /** Of Colmeia's own login and database. */
  databaseUrl: Secret;
  connections: CompanyConnections;
  secrets: CompanySecrets;
  /** Folder of pg_dump and pg_restore; null = where PATH finds them. */
  postgresBin: string | null;
};

/** Companies on the server of Colmeia's own database, each with a login of its own that reaches its own data alone. */
export class ServerHost implements CompanyHost {
  readonly #options: ServerHostOptions;

  constructor(options: ServerHostOptions) {
    this.#options = options;
  }

  get ownDatabase(): string {
    return decodeURIComponent(new URL(this.#options.databaseUrl.reveal()).pathname.slice(1));
  }

  intent(place: CompanyPlace): ResourceView {
    return place.strategy === 'schema'
      ? { kind: 'schema', id: this.schema(place), site: this.#database(place) }
      : { kind: 'database', id: this.#database(place), site: '' };
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

  async provision(place: CompanyPlace): Promise<void> {
    const verifier = scramVerifier((await this.#password(place.instance)).reveal());
    const database = this.#database(place);
    const isCommon = place.strategy === 'schema';
    await this.#asAdmin(place, null, async (session) => {
      await assertMayProvision(session);
      await closeOwnDatabase(session);
      await makeRole(session, place, this.schema(place), verifier);
      await makeDatabase(session, database, isCommon ? null : this.role(place), place);
      const grant = `grant connect on database ${sqlIdentifier(database)} to ${sqlIdentifier(this.role(place))}`;
      await session.script(grant);
    });
    if (!isCommon) await this.#prepare(place, database);
    else
      await this.#asAdmin(place, null, async (session) => {
        // In turn, by a lock of Colmeia's own database, where no company can hold it; until the connection ends.
        await session.script('select pg_advisory_lock(7420004)');
        await this.#prepare(place, database);
      });
    this.#options.connections.tryAgain(place.id);
  }

  #prepare(place: CompanyPlace, database: string): Promise<void> {
    return this.#asAdmin(place, database, async (session) => {
      await session.script('set search_path = pg_catalog, pg_temp');
      for (const statement of PREPARE_DATABASE) await session.script(statement);
      if (place.strategy !== 'schema') return;
      const [role, schema] = [sqlIdentifier(this.role(place)), sqlIdentifier(this.schema(place))];
      await session.script(
        `revoke all on schema public from public; create schema if not exists ${schema} authorization ${role}`,
      );
    });
  }

  async resources(place: CompanyPlace): Promise<ResourceView[]> {
    const { role, schema } = placeNames(place.id);
    const database = this.#database(place);
    const found = await this.#asAdmin(place, null, (session) =>
      session.query(
        `select 'database' as kind, d.datname::text as id from pg_database d
           where d.datname = $1 and ($4 or pg_get_userbyid(d.datdba) = $2)
         union all select 'role', rolname::text from pg_roles where rolname = $2 and shobj_description(oid, 'pg_authid') = $3 order by 1`,
        [database, role, markOf(place), place.strategy === 'schema'],
      ),
    );
    const hasDatabase = found.some(({ kind }) => kind === 'database');
    const views = found.map(({ kind, id }) => ({ kind: String(kind), id: String(id), site: '' }));
    if (place.strategy !== 'schema') return views;
    const schemas = hasDatabase
      ? await this.#asAdmin(place, database, (session) =>
          session.query('select nspname::text as id from pg_namespace where nspname = $1', [schema]),
        )
      : [];
    const own = schemas.map(({ id }) => ({ kind: 'schema', id: String(id), site: database }));
    return [...views.filter(({ kind }) => kind === 'role'), ...own];
  }

  async drop(place: CompanyPlace): Promise<void> {
    const { role, schema } = placeNames(place.id);
    const database = this.#database(place);
    await this.#options.connections.end(place.id);
    await this.#asAdmin(place, null, async (session) => {
      await assertOurs(session, place, place.strategy === 'schema' ? null : database);
      await session.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [role]);
      if (place.strategy !== 'schema')
        await session.script(`drop database if exists ${sqlIdentifier(database)} with (force)`);
    });
    if (place.strategy === 'schema') await this.#dropSchema(place, database, schema, role);
    await this.#asAdmin(place, null, (session) => session.script(`drop role if exists ${sqlIdentifier(role)}`));
  }

  async #dropSchema(place: CompanyPlace, database: string, schema: string, role: string): Promise<void> {
    const [exists] = await this.#asAdmin(place, null, (session) =>
      session.query(
        `select exists (select from pg_database where datname = $1) and exists (select from pg_roles where rolname = $2) as yes`,
        [database, role],
      ),
    );
    if (exists?.yes !== true) return;
    await this.#asAdmin(place, database, (session) =>
      session.script(
        `drop schema if exists ${sqlIdentifier(schema)} cascade; drop owned by ${sqlIdentifier(role)} cascade`,
      ),
    );
  }

  company<T>(place: CompanyPlace, work: (session: CompanySession) => Promise<T>): Promise<T> {
    const url = (): Promise<string> => this.#companyUrl(place);
    const whose = { key: place.id, ...place, ...this.#around(place) };
    return this.#options.connections.use(whose, url, (session) => work(companySession(session)));
  }

  async sight<T>(place: CompanyPlace, work: (sight: Sight) => Promise<T>): Promise<T> {
    const of = { name: 'operation', whose: place.instance, deadlineMs: LONG_DEADLINE_MS };
    const [ownerUrl, url] = [this.#adminUrl(this.#database(place)), await this.#companyUrl(place)];
    try {
      return await withClient({ ...of, url: ownerUrl }, (owner) =>
        withClient({ ...of, url, ...this.#around(place) }, (company) =>
          work({ owner, company: companySession(company), schema: this.schema(place), role: this.role(place) }),
        ),
      );
    } catch (error) {
      throw explainDenied(error, place.instance);
    }
  }

  async freeBytes(): Promise<null> {
    return null; // a server does not tell
  }

  async copyWhole(source: CompanyPlace, target: CompanyPlace, options: WholeCopyOptions): Promise<WholeCopy | null> {
    return copyServerDatabase(
      {
        source: { instance: source.instance, url: this.#adminUrl(this.#database(source)) },
        target: { url: await this.#companyUrl(target), role: this.role(target) },
        postgresBin: this.#options.postgresBin,
        sight: (work) => this.sight(source, work),
        targetSight: (work) => this.sight(target, work),
      },
      options,
    );
  }

  close(): Promise<void> {
    return this.#options.connections.close();
  }

  #database({ id, strategy }: CompanyPlace): string {
    return strategy === 'schema' ? commonDatabase(this.ownDatabase) : placeNames(id).database;
  }

  /** A connection of Colmeia's own login; `database` null = to its own database. */
  async #asAdmin<T>(place: CompanyPlace, database: string | null, work: (session: Session) => Promise<T>): Promise<T> {
    const url = database === null ? this.#options.databaseUrl.reveal() : this.#adminUrl(database);
    try {
      return await withClient({ url, name: 'companies', whose: place.instance, deadlineMs: DEADLINE_MS }, work);
    } catch (error) {
      throw explainDenied(error, place.instance);
    }
  }

  /** What is done from outside about connections of the company. */
  #around(place: CompanyPlace): { terminate: Terminate; setPassword: () => Promise<void> } {
    return {
      terminate: (pid) => this.#asAdmin(place, null, (session) => session.query(TERMINATE, [pid, this.role(place)])),
      setPassword: async () => {
        const verifier = scramVerifier((await this.#password(place.instance)).reveal());
        await this.#asAdmin(place, null, async (session) => {
          await assertOurs(session, place, null);
          await session.script(`alter role ${sqlIdentifier(this.role(place))} password ${sqlLiteral(verifier)}`);
        });
      },
    };
  }

  #adminUrl(database: string): string {
    const url = new URL(this.#options.databaseUrl.reveal());
    url.pathname = database;
    return url.href;
  }

  async #companyUrl(place: CompanyPlace): Promise<string> {
    const url = new URL(this.#adminUrl(this.#database(place)));
    url.username = this.role(place);
    url.password = (await this.#password(place.instance)).reveal();
    return url.href;
  }

  /** Kept before the role has it: a role with a password that nobody knows would be of no use. */
  async #password(instance: string): Promise<Secret> {
    const { secrets } = this.#options;
    const known = await secrets.reveal(instance, PASSWORD);
    if (known !== null) return known;
    const made = new Secret(randomBytes(24).toString('base64url'));
    await secrets.put(instance, PASSWORD, made);
    return made;
  }
}

const companySession = (session: Session): CompanySession => ({
  ...session,
  run: async (text) => void (await session.script(asOneStatement(text))),
});

/** Everybody on a server may connect to its databases until that is taken away; what cannot be is shown by `inspect`. */
async function closeOwnDatabase(session: Session): Promise<void> {
  await session.script(`do $$ begin
    if exists (select from pg_database where datname = current_database() and pg_has_role(datdba, 'member')
      and has_database_privilege('public', oid, 'connect')) then
      execute format('revoke connect on database %I from public', current_database()); end if; end $$`);
}

async function assertMayProvision(session: Session): Promise<void> {
  const [login] = await session.query(
    `select rolname::text as name, rolsuper or rolcreatedb as databases, rolsuper or rolcreaterole as roles from pg_roles where rolname = current_user`,
    [],
  );
  const missing = [login!.databases === true ? [] : ['CREATEDB'], login!.roles === true ? [] : ['CREATEROLE']].flat();
  if (missing.length > 0) throw denied(`The login ${String(login!.name)} lacks ${missing.join(' and ')}`);
}

/** How a role says that Colmeia made it, and for whom. */
const markOf = ({ id }: CompanyPlace): string => `Colmeia: company ${id}`;

async function makeRole(session: Session, place: CompanyPlace, schema: string, verifier: string): Promise<void> {
  const { role } = placeNames(place.id);
  const name = sqlIdentifier(role);
  const exists = (await readMark(session, role)) !== undefined;
  if (exists) await assertOurs(session, place, null);
  const making = exists ? '' : `create role ${name}; comment on role ${name} is ${sqlLiteral(markOf(place))};`;
  await session.script(`begin; ${making}
    alter role ${name} login connection limit 16 password ${sqlLiteral(verifier)};
    alter role ${name} set search_path = ${sqlIdentifier(schema)};
    alter role ${name} set statement_timeout = '30s'; alter role ${name} set lock_timeout = '10s';
    alter role ${name} set idle_in_transaction_session_timeout = '30s'; commit`);
  // To make and drop what the role owns; a superuser may that anyway.
  await session.script(`do $$ begin
    if (select rolsuper from pg_roles where rolname = current_user) then return; end if;
    if current_setting('server_version_num')::int >= 160000 then grant ${name} to current_user with inherit true, set true;
    else grant ${name} to current_user; end if; end $$`);
}

/** `owner` null = the common database, which is Colmeia's. */
async function makeDatabase(
  session: Session,
  database: string,
  owner: string | null,
  place: CompanyPlace,
): Promise<void> {
  const name = sqlIdentifier(database);
  const [exists] = await session.query(
    `select case when $2::text is null then pg_has_role(datdba, 'member') else pg_get_userbyid(datdba) = $2 end as ours
       from pg_database where datname = $1`,
    [database, owner],
  );
  if (exists?.ours === false) throw foreign(`database ${database}`, place);
  if (exists === undefined) {
    const owned = owner === null ? '' : ` owner ${sqlIdentifier(owner)}`;
    await session.script(`create database ${name}${owned} template template0 encoding 'UTF8'`).catch(passExisting);
  }
  await session.script(`revoke all on database ${name} from public`);
}

/** Another replica was first. */
function passExisting(error: unknown): void {
  if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
}

/** Throws DATABASE_FOREIGN when the role, or the database, is there and is not of Colmeia's making. */
async function assertOurs(session: Session, place: CompanyPlace, database: string | null): Promise<void> {
  const { role } = placeNames(place.id);
  const mark = await readMark(session, role);
  if (mark !== undefined && mark !== markOf(place)) throw foreign(`role ${role}`, place);
  const rows: Row[] = await session.query(
    'select pg_get_userbyid(datdba) as owner from pg_database where datname = $1',
    [database],
  );
  if (rows.some(({ owner }) => owner !== role)) throw foreign(`database ${database}`, place);
}

/** undefined = there is no such role. */
async function readMark(session: Session, role: string): Promise<string | null | undefined> {
  const [row] = await session.query(
    `select shobj_description(oid, 'pg_authid') as mark from pg_roles where rolname = $1`,
    [role],
  );
  return row === undefined ? undefined : (row.mark as string | null);
}

function foreign(what: string, { instance }: CompanyPlace): ColmeiaError {
  const message = `The ${what} is there already, and Colmeia did not make it for ${instance}. Nothing was changed.`;
  return new ColmeiaError('DATABASE_FOREIGN', message);
}

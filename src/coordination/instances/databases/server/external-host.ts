import { ColmeiaError } from '../../../../platform/errors.ts';
import { type Session } from '../../../../platform/store/transaction.ts';
import { type ResourceView } from '../../instance-views.ts';
import { type CompanyClaims, type CompanyPlace } from '../company-databases.ts';
import { type CompanyHost, type CompanySession, type Sight } from '../company-host.ts';
import { emptyDatabase } from '../fill-database.ts';
import { PREPARE_DATABASE, settingClaims } from '../prepare-database.ts';
import {
  asOneStatement,
  type CompanyConnections,
  TERMINATE,
  type Terminate,
  withClient,
} from './company-connections.ts';
import { explainDenied } from './explain-error.ts';

const LONG_DEADLINE_MS = 10 * 60_000;
const TERMINATE_DEADLINE_MS = 5_000;
const SCHEMA = 'public';
/** Put before each transaction: an administrator's login has settings of its own. */
const SETTINGS = `set local search_path = public; set local statement_timeout = '30s'; set local lock_timeout = '10s'`;
/** The login may take on the roles of requests, as it may on Supabase; where it cannot be had, only the service's claims work. */
const MAY_ASSUME = `do $$ declare r text; begin
  foreach r in array array['anon', 'authenticated'] loop
    begin
      if current_setting('server_version_num')::int < 160000 then
        if not pg_has_role(current_user, r, 'MEMBER') then execute format('grant %I to current_user', r); end if;
      elsif not pg_has_role(current_user, r, 'SET') then
        execute format('grant %I to current_user with inherit false, set true', r);
      end if;
    exception when insufficient_privilege then null; -- somebody else made the role
    end;
  end loop;
end $$`;
/** What somebody else put into the schema, but for what belongs to extensions. */
const IS_USED = `select to_regclass('public.company') is null and exists (select from pg_class c where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p', 'v', 'm') and not exists (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid = c.oid
  and e.deptype = 'e')) as yes`;

/** Databases that somebody else made, as a Supabase project's: the login of their URL is the company's role, its schema `public`. */
export class ExternalHost implements CompanyHost {
  readonly #connections: CompanyConnections;
  readonly #publicOnly: boolean;
  readonly copyWhole = null;
  readonly ownDatabase = null;

  /** `publicOnly`: databases on this machine or in a private network are not called. */
  constructor(connections: CompanyConnections, publicOnly: boolean) {
    this.#connections = connections;
    this.#publicOnly = publicOnly;
  }

  intent(place: CompanyPlace): ResourceView {
    const { pathname, host } = urlOf(place);
    return { kind: 'tables', id: decodeURIComponent(pathname.slice(1)), site: host };
  }

  schema(): string {
    return SCHEMA;
  }

  role(place: CompanyPlace): string {
    const name = decodeURIComponent(urlOf(place).username);
    // Supabase's pooler takes the project into the login: postgres.<project>.
    return /\.pooler\.supabase\.com$/.test(urlOf(place).hostname) ? name.split('.')[0]! : name;
  }

  /** Such a login usually passes row level security by; to see what a request would see it takes on the request's role. */
  claiming(claims: CompanyClaims): string {
    const role = claims.role === 'service_role' ? '' : `; set local role ${claims.role}`;
    return `${settingClaims(claims)}${role}`;
  }

  async provision(place: CompanyPlace): Promise<void> {
    await this.#asOwner(place, async (session) => {
      const [used] = await session.query(IS_USED, []);
      if (used!.yes === true) throw foreign(place);
      await session.script('set search_path = pg_catalog, pg_temp');
      for (const statement of [...PREPARE_DATABASE, MAY_ASSUME]) await session.script(statement);
    });
    this.#connections.tryAgain(keyOf(place));
  }

  async resources(place: CompanyPlace): Promise<ResourceView[]> {
    const [there] = await this.#asOwner(place, (session) =>
      session.query(`select to_regclass('public.company') is not null as yes, current_database()::text as name`, []),
    );
    return there!.yes === true ? [{ kind: 'tables', id: String(there!.name), site: urlOf(place).host }] : [];
  }

  /** The database itself stays: who made it takes it away. */
  async drop(place: CompanyPlace): Promise<void> {
    await this.#connections.end(keyOf(place));
    await this.sight(place, (sight) => emptyDatabase(sight));
  }

  company<T>(place: CompanyPlace, work: (session: CompanySession) => Promise<T>): Promise<T> {
    const url = async (): Promise<string> => urlOf(place).href;
    const whose = {
      key: keyOf(place),
      ...place,
      publicOnly: this.#publicOnly,
      terminate: this.#terminating(place),
    };
    return this.#connections.use(whose, url, (session) => work(companySession(session)));
  }

  async sight<T>(place: CompanyPlace, work: (sight: Sight) => Promise<T>): Promise<T> {
    return this.#asOwner(place, (owner) =>
      this.#asOwner(place, (company) =>
        work({ owner, company: companySession(company), schema: SCHEMA, role: this.role(place) }),
      ),
    );
  }

  async freeBytes(): Promise<null> {
    return null; // a server does not tell
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  async #asOwner<T>(place: CompanyPlace, work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await withClient({ ...this.#of(place, LONG_DEADLINE_MS), terminate: this.#terminating(place) }, work);
    } catch (error) {
      throw explainDenied(error, place.instance);
    }
  }

  #terminating(place: CompanyPlace): Terminate {
    const login = decodeURIComponent(urlOf(place).username);
    return (pid) =>
      withClient(this.#of(place, TERMINATE_DEADLINE_MS), (session) => session.query(TERMINATE, [pid, login]));
  }

  #of(place: CompanyPlace, deadlineMs: number) {
    const url = urlOf(place).href;
    return { url, name: 'operation', whose: place.instance, deadlineMs, publicOnly: this.#publicOnly };
  }
}

function companySession(session: Session): CompanySession {
  return {
    ...session,
    script: (text) => session.script(text.replace(/^begin[^;]*;/, (begin) => `${begin} ${SETTINGS};`)),
    run: async (text) => void (await session.script(asOneStatement(text))),
  };
}

/** A company whose address was changed is asked at the new one from then on. */
const keyOf = (place: CompanyPlace): string => `${place.id} ${urlOf(place).href}`;

/** Parameters that say how to speak, not where to, nor with which files of this machine. */
const PARAMETERS = ['sslmode', 'channel_binding', 'connect_timeout', 'application_name', 'pgbouncer', 'uselibpqcompat'];

/** Without a password of its own the driver would take that of this process. */
function urlOf({ url: given, instance }: CompanyPlace): URL {
  const url = URL.parse(given!.reveal());
  const isAddress =
    url !== null &&
    /^postgres(ql)?:$/.test(url.protocol) &&
    /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/i.test(url.hostname) && // no folder of a socket
    url.username !== '' &&
    [...url.searchParams.keys()].every((name) => PARAMETERS.includes(name));
  if (!isAddress) {
    const known = `parameters but ${PARAMETERS.join(', ')}`;
    const message = `The database.url of ${instance} is not an address like postgresql://user:password@host:5432/database, without ${known}.`;
    throw new ColmeiaError('CONFIG_INVALID', message, { faults: [{ path: 'config.json: database.url', message }] });
  }
  url.password ||= 'none';
  return url;
}

function foreign({ instance }: CompanyPlace): ColmeiaError {
  const message = `The schema public of the database of ${instance} holds tables that are not Colmeia's. Use an empty database. Nothing was changed.`;
  return new ColmeiaError('DATABASE_FOREIGN', message);
}

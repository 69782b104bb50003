import { type ResourceView } from '../instance-views.ts';
import { type Session } from '../../../platform/store/transaction.ts';
import { type CompanyClaims, type CompanyPlace, type CopyOptions } from './company-databases.ts';

/**
 * A connection on which `query` and `run` are the company's role and nothing else. `script` is for the transaction's own words
 * (begin, set local, commit), never for SQL that somebody else wrote.
 */
export type CompanySession = Session & {
  /** Several statements in the transaction under way. */
  run(text: string): Promise<void>;
};

/**
 * What it takes to look at all of a company's database. One transaction at a time, either of `owner` or of `company`: the two may be
 * one connection. `owner` sees every row, and must run nothing that the company could have a say in: it may be a superuser, so its
 * search_path is the catalog alone.
 */
export type Sight = { owner: Session; company: CompanySession; schema: string; role: string };

/**
 * Where databases of companies lie: the one seam between what is the same everywhere and a kind of place. Errors of `company` and
 * `sight` are as CompanyDatabases promises.
 */
export type CompanyHost = {
  intent(place: CompanyPlace): ResourceView;
  /** Database, roles, schema and `auth`, as far as they are missing; not the company's tables. */
  provision(place: CompanyPlace): Promise<void>;
  /** What is there of it. */
  resources(place: CompanyPlace): Promise<ResourceView[]>;
  /** Ends every session of the company and takes away what `provision` made. */
  drop(place: CompanyPlace): Promise<void>;
  /** Schema of the company's tables. */
  schema(place: CompanyPlace): string;
  /** The company's role. */
  role(place: CompanyPlace): string;
  /** Colmeia's own database on the same server, where no company has business; null = there is none. */
  readonly ownDatabase: string | null;
  /** What puts a transaction under claims. */
  claiming(claims: CompanyClaims): string;
  /** A connection for `work` alone, as the company's role with its schema first in search_path. Default deadline 30 s. */
  company<T>(place: CompanyPlace, work: (session: CompanySession) => Promise<T>, deadlineMs?: number): Promise<T>;
  /** A look at the whole database. Deadline of a statement: ten minutes. */
  sight<T>(place: CompanyPlace, work: (sight: Sight) => Promise<T>): Promise<T>;
  /** Of the disk that it lies on; null = not known. */
  freeBytes(place: CompanyPlace): Promise<number | null>;
  /** Copies one whole database to another, which is replaced; null, before or after a look = only row by row. */
  copyWhole:
    | ((source: CompanyPlace, target: CompanyPlace, options: WholeCopyOptions) => Promise<WholeCopy | null>)
    | null;
  close(): Promise<void>;
};

export type WholeCopyOptions = CopyOptions & {
  /** Called once. `snapshot`: what of the source is copied, for a transaction of the sight to take; null = what it sees. */
  atFreezePoint: (sight: Sight, snapshot: string | null) => Promise<void>;
};
export type WholeCopy = { frozenAt: string; freezeMs: number };

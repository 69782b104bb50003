import type { ResourceView } from './instance-views.ts';

/** What a company is to have at an outside site: a Jira project, a Confluence space. */
export type AccountSpec = {
  key: string;
  name: string;
  description: string;
  /** The company; written at the site, and what tells its own from what others made. */
  instance: string;
  /** True: the configuration names this key, so that one that is there already is taken over when it is empty. */
  named: boolean;
};

export type AccountInventory = { items: number; links: number; attachments: number; bytes: number };
/** `calls`: how many outside calls a copy will take, about. */
export type CopyPlan = AccountInventory & { calls: number };

/**
 * What a copy knows of itself, as plain JSON, kept by the caller after every batch. `made` has a pair for each item
 * that was made, in the order of the source; of the first `settled` of them everything else is there too.
 */
export type CopyMemory = {
  made: [source: string, target: string][];
  settled: number;
  /** What could not be taken along, by reason. */
  left: LeftBehind[];
};
export const NEW_COPY: CopyMemory = { made: [], settled: 0, left: [] };

/** Something the target has no place for, such as a field or a status. `items`: of how many items; some of them by key. */
export type LeftBehind = { what: string; items: number; examples: string[] };

/** What stands in the target in the end, and what was left behind. */
export type CopyCounts = AccountInventory & { comments: number; left: LeftBehind[] };

export type CopyRun = {
  to: string;
  operationId: string;
  memory: CopyMemory;
  /** On disk when it resolves. */
  keep(memory: CopyMemory): Promise<void>;
  progress(detail: string, share?: number): void;
  signal: AbortSignal;
  /** Keys of issues that were copied along, so that pages point at the copies; null = stays as it is. */
  issueKey?: (source: string) => string | null;
};
export type CopyOptions = CopyRun & { from: string };
export type RestoreOptions = CopyRun & {
  /** All of them from the first one, whenever it is called; once to count, twice to write. */
  records(): AsyncIterable<PortableRecord>;
};

/**
 * An issue or a page with everything on it, free of keys, ids, dates and the address of the site: items of the same
 * project name each other by `order`. Two projects with equal records have the same content.
 */
export type PortableRecord = {
  kind: 'issue' | 'page';
  /** Counts from 1; a parent comes before its children. */
  order: number;
  parent: number | null;
  content: Record<string, unknown>;
  attachments: PortableAttachment[];
};
export type PortableAttachment = {
  name: string;
  type: string;
  bytes: number;
  /** null: not asked for. */
  sha256: string | null;
  open(): AsyncIterable<Uint8Array>;
};
export type RecordOptions = {
  signal?: AbortSignal;
  /** Reads every attachment for its checksum. Default false. */
  checksums?: boolean;
  /** Orders of issues by key, so that pages that show issues compare equal; null = not one of the company's. */
  issueOrder?: (key: string) => number | null;
};

/** Credentials and permissions, in a sentence; what the site says is not thrown. `clockSkewMs`: how far its clock is ahead of ours. */
export type AccountCheck = { ok: boolean; detail: string; clockSkewMs: number };

/** One site as the account of companies. All of it may be repeated; nothing that is not the company's is changed. */
export type ProjectAccount = {
  readonly kind: 'jira' | 'confluence';
  readonly site: string;
  check(): Promise<AccountCheck>;
  /** Throws OUTSIDE_REFUSED with a free key to use instead when another has the key. */
  ensure(spec: AccountSpec): Promise<ResourceView>;
  /** False: it was gone already. Throws OUTSIDE_REFUSED when it is not this company's. */
  remove(resource: ResourceView, instance: string): Promise<boolean>;
  exists(resource: ResourceView): Promise<boolean>;
  /** The company has another name now. */
  rename(resource: ResourceView, from: string, to: string): Promise<void>;
  inventory(key: string): Promise<AccountInventory>;
  plan(key: string): Promise<CopyPlan>;
  /** Goes on from its memory after a cut at any point; makes nothing twice. */
  copy(options: CopyOptions): Promise<CopyCounts>;
  restore(options: RestoreOptions): Promise<CopyCounts>;
  records(key: string, options?: RecordOptions): AsyncIterable<PortableRecord>;
  /** Orders of the project's items by key, as in its records. */
  orders(key: string): Promise<ReadonlyMap<string, number>>;
};

import type { Secret } from '../../platform/secret.ts';

export type SiteName = 'supabase' | 'jira' | 'confluence';

/** One call as the audit has it: neither query values nor bodies nor headers, so no secrets. */
export type OutsideCall = {
  site: SiteName;
  method: string;
  /** With the names of the query, without its values. */
  path: string;
  /** Of the last attempt; null = it brought no answer. */
  status: number | null;
  /** From the first wait to the end. */
  ms: number;
  /** 0 = it was not sent. */
  attempts: number;
  /** It asks for a change, as far as its method and `isRead` say. */
  changes: boolean;
  /** It was planned only: the site is open for a dry run. */
  dry: boolean;
  /** Code of the error it ended with; null = none. */
  error: string | null;
};

export type Json = string | number | boolean | null | Secret | Json[] | { [name: string]: Json | undefined };

export type OutsideRequest = {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the base URL, with a slash at its start. */
  path: string;
  /** A list gives its name several times; undefined is left out. */
  query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  /** Sent as JSON. A Secret in it goes out as its value, and is erased from what the site says back. */
  body?: Json;
  headers?: Readonly<Record<string, string>>;
  /** A repeat changes nothing more. Default: every method but POST and PATCH, and what `isRead` says. */
  idempotent?: boolean;
  /** Statuses from 300 on that are an answer here, as 404 for "is it there?". Default: none. */
  accept?: readonly number[];
  /** Of one attempt. Default: the site's. */
  timeoutMs?: number;
  /** Of the whole call, with its waits and repeats. Default: the site's. */
  deadlineMs?: number;
  signal?: AbortSignal;
};

export type OutsideAnswer = {
  status: number;
  headers: Headers;
  /** Parsed JSON; null = the answer has no body. */
  body: unknown;
  /** Nothing was sent: the site is open for a dry run. */
  dry: boolean;
};

/** Values of a query may be anything, so only the names stay. */
export function auditedPath(url: URL): string {
  const names = [...new Set(url.searchParams.keys())].map(encodeURIComponent);
  return names.length === 0 ? url.pathname : `${url.pathname}?${names.join('&')}`;
}

import { rewriteStorage } from './storage-format.ts';

const PAGE = 'colmeia:page/';
const ISSUE = 'colmeia:issue/';
const SPACE = 'colmeia:space';

/** Made up anew whenever a page is saved. */
const PASSING = new Set(['ac:macro-id', 'ac:local-id', 'local-id', 'ri:version-at-save']);
/** Parameters that name a space by its key. */
const SPACE_PARAMETERS = new Set(['spaceKey', 'space', 'spaces']);

type PlaceOfPages = {
  /** Of the site, as `https://acme.atlassian.net`. */
  url: string;
  spaceKey: string;
};

/**
 * The body with its references to the space, its pages and the company's issues in a form that holds anywhere. `pageRef`
 * and `issueRef` give null for what is not of the company: that stays as it is.
 */
export function toPortable(
  body: string,
  at: PlaceOfPages & { pageRef(id: string): string | null; issueRef(key: string): string | null },
): string {
  const issue = (key: string): string => {
    const ref = at.issueRef(key);
    return ref === null ? key : ISSUE + ref;
  };
  return rewriteStorage(body, {
    attribute: (element, name, value) => {
      if (PASSING.has(name)) return null;
      if (name === 'ri:space-key') return value === at.spaceKey ? SPACE : value;
      if (name === 'ri:content-id') return page(value, '') ?? value;
      return isAddress(element, name) ? address(value) : value;
    },
    parameter: (macro, name, text) => {
      if (macro === 'jira' && name === 'key') return issue(text);
      return SPACE_PARAMETERS.has(name) && text === at.spaceKey ? SPACE : text;
    },
  });

  function page(id: string, rest: string): string | null {
    const ref = at.pageRef(id);
    return ref === null ? null : PAGE + ref + rest;
  }
  function address(value: string): string {
    const path = value.startsWith('/wiki/') ? value : value.startsWith(`${at.url}/`) ? value.slice(at.url.length) : '';
    const found =
      /^\/wiki\/spaces\/[^/]+\/pages\/(\d+)(?:\/[^#]*)?(#.*)?$/.exec(path) ??
      /^\/wiki\/pages\/viewpage\.action\?pageId=(\d+)(#.*)?$/.exec(path);
    if (found !== null) return page(found[1]!, found[2] ?? '') ?? value;
    if (path === `/wiki/spaces/${at.spaceKey}` || path === `/wiki/spaces/${at.spaceKey}/overview`) return SPACE;
    const key = /^\/browse\/([A-Z][A-Z0-9_]*-\d+)$/.exec(path)?.[1];
    return key === undefined || at.issueRef(key) === null ? value : issue(key);
  }
}

/** A body for a space: what it says, and whether everything that it refers to could be named. */
export type WrittenBody = { body: string; missesPages: boolean; missesIssues: boolean };

/** The other way round. `pageId` gives null for a page that is not there yet, `issueKey` for an unknown issue. */
export function fromPortable(
  body: string,
  at: PlaceOfPages & { pageId(ref: string): string | null; issueKey(ref: string): string | null },
): WrittenBody {
  const misses = { missesPages: false, missesIssues: false };
  const issue = (ref: string): string => {
    const key = at.issueKey(ref);
    if (key === null) misses.missesIssues = true;
    return key ?? ref;
  };
  const page = (ref: string): string => {
    const id = at.pageId(ref);
    if (id === null) misses.missesPages = true;
    return id ?? '';
  };
  const written = rewriteStorage(body, {
    attribute: (element, name, value) => {
      if (name === 'ri:space-key' && value === SPACE) return at.spaceKey;
      if (name === 'ri:content-id' && value.startsWith(PAGE)) return page(value.slice(PAGE.length));
      if (!isAddress(element, name)) return value;
      if (value === SPACE) return `${at.url}/wiki/spaces/${at.spaceKey}/overview`;
      if (value.startsWith(ISSUE)) return `${at.url}/browse/${issue(value.slice(ISSUE.length))}`;
      if (!value.startsWith(PAGE)) return value;
      const [ref = '', anchor] = value.slice(PAGE.length).split('#');
      const address = `${at.url}/wiki/spaces/${at.spaceKey}/pages/${page(ref)}`;
      return anchor === undefined ? address : `${address}#${anchor}`;
    },
    parameter: (macro, name, text) => {
      if (macro === 'jira' && name === 'key' && text.startsWith(ISSUE)) return issue(text.slice(ISSUE.length));
      return SPACE_PARAMETERS.has(name) && text === SPACE ? at.spaceKey : text;
    },
  });
  return { body: written, ...misses };
}

/** True when the body can only be written once other pages are there. */
export function refersToPages(body: string): boolean {
  return body.includes(PAGE);
}

/** How many links to pages and issues a portable body has. */
export function countLinks(body: string): number {
  return body.match(/<ri:page\s|"colmeia:(page|issue)\/|>colmeia:issue\//g)?.length ?? 0;
}

/** True when a macro searches for issues; what it searches for is not looked into. */
export function searchesIssues(body: string): boolean {
  return body.includes('ac:name="jqlQuery"');
}

function isAddress(element: string, name: string): boolean {
  return (element === 'a' && name === 'href') || (element === 'ri:url' && name === 'ri:value');
}

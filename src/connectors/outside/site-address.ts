import { ColmeiaError } from '../../platform/errors.ts';

/** The base URL of a site. Throws INVALID_REQUEST when it is not fit to carry credentials. */
export function siteAddress(site: string, baseUrl: string): URL {
  const url = URL.parse(baseUrl);
  const isFit =
    url !== null &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))) &&
    `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (isFit) return url;
  const message = 'must be an https:// address without user, query and fragment (http:// only on this machine)';
  throw new ColmeiaError('INVALID_REQUEST', `the address of ${site} ${message}`, {
    faults: [{ path: 'baseUrl', message }],
  });
}

/**
 * The address, when it is below the base: credentials go to no other place, whatever a path or a link in an answer says.
 * Throws INVALID_REQUEST.
 */
export function ownUrl(site: string, base: URL, url: URL): URL {
  const prefix = base.pathname.replace(/\/*$/, '/');
  const isOwn = url.origin === base.origin && `${url.pathname}/`.startsWith(prefix);
  if (isOwn && url.username === '' && url.password === '') return url;
  throw new ColmeiaError('INVALID_REQUEST', `${site}: the call leads away from the site`);
}

/** https anywhere; http only on this machine, and only from a site that is on it. */
export function isSafeAddress(url: URL, base: URL): boolean {
  if (url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && base.protocol === 'http:' && isLoopback(url));
}

function isLoopback(url: URL): boolean {
  const host = url.hostname;
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

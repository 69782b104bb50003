import type { Answer } from './exchange.ts';

/** null = it is not JSON; a box, as `null` is JSON too. */
export function readJson({ headers, bytes }: Answer): { value: unknown } | null {
  const type = headers.get('content-type') ?? '';
  if (bytes.length === 0 || !/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) return null;
  try {
    return { value: JSON.parse(new TextDecoder().decode(bytes)) as unknown };
  } catch {
    return null;
  }
}

/** For people. The type is the site's word, so only one of plain letters is repeated. */
export function whyNotJson(headers: Headers): string {
  const type = (headers.get('content-type') ?? '').split(';')[0]!.trim();
  if (/json$/i.test(type)) return 'its answer is not whole JSON';
  return `it answered ${/^[\w.+-]+\/[\w.+-]+$/.test(type) ? type : 'something'} instead of JSON`;
}

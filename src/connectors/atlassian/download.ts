import { ColmeiaError } from '../../platform/errors.ts';
import type { AtlassianSite } from './vendor-client.ts';

/** The content of an attachment, which must have the size that the site told. Throws OUTSIDE_UNAVAILABLE. */
export async function* download(
  at: AtlassianSite,
  path: string,
  bytes: number,
  signal?: AbortSignal,
): AsyncIterable<Uint8Array> {
  const response = await at.site.fetch(at.url + path, { headers: { accept: '*/*' }, signal: signal ?? null });
  if (!response.ok) throw new ColmeiaError('OUTSIDE_REFUSED', `GET ${path}: answered ${response.status}`);
  const content = new Uint8Array(await response.arrayBuffer());
  if (content.length !== bytes) {
    throw new ColmeiaError('OUTSIDE_UNAVAILABLE', `GET ${path}: ${content.length} bytes came instead of ${bytes}`);
  }
  yield content;
}

/** Everything of a stream in one piece, which the uploads of both vendors need. */
export async function wholeOf(content: AsyncIterable<Uint8Array>): Promise<Blob> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of content) chunks.push(new Uint8Array(chunk));
  return new Blob(chunks);
}

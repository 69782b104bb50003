import { createHash } from 'node:crypto';
import type { PortableAttachment } from '../../coordination/instances/outside-accounts.ts';

/** The attachments in an order that does not depend on who stored them, each read for its checksum when asked. */
export async function portableAttachments(
  attachments: readonly PortableAttachment[],
  checksums: boolean,
): Promise<PortableAttachment[]> {
  const portable: PortableAttachment[] = [];
  for (const { name, type, bytes, open } of attachments) {
    portable.push({ name, type, bytes, sha256: checksums ? await sha256Of(open()) : null, open });
  }
  const keyOf = (one: PortableAttachment): string => JSON.stringify([one.name, one.bytes, one.sha256]);
  return portable.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

async function sha256Of(content: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of content) hash.update(chunk);
  return hash.digest('hex');
}

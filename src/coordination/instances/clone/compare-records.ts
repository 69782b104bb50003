import { digestOf } from '../../../platform/contracts/canonical-json.ts';
import type { LeftBehind, PortableRecord } from '../outside-accounts.ts';

/** Records as texts that can be compared, by their order: `<parent>.<content>.<attachments>`, the last two as digests. */
export type RecordDigests = string[];

const DIGEST_LENGTH = 20;

/** `records` with checksums of their attachments. */
export async function digestRecords(records: AsyncIterable<PortableRecord>): Promise<RecordDigests> {
  const digests: RecordDigests = [];
  for await (const { order, parent, content, attachments } of records) {
    const files = attachments.map(({ name, type, bytes, sha256 }) => ({ name, type, bytes, sha256 }));
    const short = [content, files].map((part) => digestOf(part).slice(0, DIGEST_LENGTH));
    digests[order - 1] = [parent ?? '', ...short].join('.');
  }
  return digests;
}

type RecordsCompared = {
  differences: string[];
  /** Items that differ by what the target has no place for. */
  leftBehind: number;
};

/**
 * `frozen`: of the source before it was copied; `now`: afterwards, so that what was changed in the source meanwhile is told from
 * what the copy got wrong. Of what was left behind only so many items may differ as the copy has said.
 */
export function compareRecords(
  kind: string,
  sides: { frozen: RecordDigests; now: RecordDigests; target: RecordDigests },
  left: readonly LeftBehind[],
): RecordsCompared {
  const { frozen, now, target } = sides;
  const mayDiffer = left.reduce((sum, { items }) => sum + items, 0);
  const differences: string[] = [];
  let leftBehind = 0;
  for (let i = 0; i < Math.max(frozen.length, target.length); i++) {
    const [was, is] = [frozen[i], target[i]];
    if (is === was || (is !== undefined && is === now[i])) continue;
    const what = `${kind} ${i + 1}`;
    if (is === undefined) differences.push(`${what}: missing`);
    else if (was === undefined) differences.push(`${what}: not in the source`);
    else if (isInContentAlone(was, is) && leftBehind < mayDiffer) leftBehind++;
    else differences.push(`${what}: ${differing(was, is)}`);
  }
  return { differences, leftBehind };
}

function isInContentAlone(was: string, is: string): boolean {
  return differing(was, is) !== '' && was.split('.')[0] === is.split('.')[0];
}

const PARTS = ['its place under another', 'its content', 'its attachments'];

function differing(was: string, is: string): string {
  const [before, after] = [was.split('.'), is.split('.')];
  return PARTS.filter((_, i) => before[i] !== after[i]).join(', ');
}

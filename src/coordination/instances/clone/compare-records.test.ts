import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { PortableRecord } from '../outside-accounts.ts';
import { compareRecords, digestRecords, type RecordDigests } from './compare-records.ts';

type Item = { parent: number | null; text: string; file: string };
const items = fc.array(fc.record({ parent: fc.constantFrom(null, 1), text: fc.string(), file: fc.string() }), {
  minLength: 1,
  maxLength: 8,
});

function digestsOf(list: readonly Item[]): Promise<RecordDigests> {
  const records = async function* (): AsyncIterable<PortableRecord> {
    for (const [i, { parent, text, file }] of list.entries()) {
      const attachment = { name: 'a', type: 't', bytes: 1, sha256: file, open: async function* () {} };
      yield { kind: 'issue', order: i + 1, parent, content: { text }, attachments: [attachment] };
    }
  };
  return digestRecords(records());
}

describe('records of a project and its copy', () => {
  test('of any two lists exactly the items that differ are found, with what of them differs', async () => {
    await fc.assert(
      fc.asyncProperty(items, items, async (was, is) => {
        const [frozen, target] = await Promise.all([digestsOf(was), digestsOf(is)]);
        const { differences } = compareRecords('issue', { frozen, now: frozen, target }, []);
        const expected = Array.from({ length: Math.max(was.length, is.length) }, (_, i) => {
          const [a, b] = [was[i], is[i]];
          if (b === undefined) return `issue ${i + 1}: missing`;
          if (a === undefined) return `issue ${i + 1}: not in the source`;
          const parts = [
            a.parent === b.parent ? '' : 'its place under another',
            a.text === b.text ? '' : 'its content',
            a.file === b.file ? '' : 'its attachments',
          ].filter((part) => part !== '');
          return parts.length === 0 ? '' : `issue ${i + 1}: ${parts.join(', ')}`;
        }).filter((text) => text !== '');
        assert.deepEqual(differences, expected);
      }),
    );
  });

  test('what was left behind excuses as many items as were told, and never a place or a missing one', async () => {
    const list = Array.from({ length: 4 }, (_, i): Item => ({ parent: i > 0 ? 1 : null, text: `${i}`, file: '' }));
    const frozen = await digestsOf(list);
    const left = [{ what: 'field Area', items: 2, examples: [] }];
    const lessOf = async (changed: Item[]) =>
      compareRecords('issue', { frozen, now: frozen, target: await digestsOf(changed) }, left);
    const emptied = (at: number[]) => list.map((item, i) => (at.includes(i) ? { ...item, text: '' } : item));
    assert.deepEqual(await lessOf(emptied([1, 2])), { differences: [], leftBehind: 2 });
    assert.deepEqual((await lessOf(emptied([1, 2, 3]))).differences, ['issue 4: its content']);
    assert.deepEqual((await lessOf(list.slice(0, 3))).differences, ['issue 4: missing']);
    const moved = list.map((item, i) => (i === 2 ? { ...item, parent: null } : item));
    assert.deepEqual((await lessOf(moved)).differences, ['issue 3: its place under another']);
  });
});

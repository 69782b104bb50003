import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdfDocument, hasReferences, showsMedia, withAddresses, withReferences } from './adf-document.ts';

const URL_OF_SITE = 'https://acme.atlassian.net';
const refOf = (key: string): string | null => (key.startsWith('SRC-') ? key : null);

function document(...content: Record<string, unknown>[]): AdfDocument {
  return { type: 'doc', version: 1, content: [{ type: 'paragraph', content }] };
}

const card = (url: string) => ({ type: 'inlineCard', attrs: { url } });
const linked = (href: string) => ({ type: 'text', text: 'SRC-1', marks: [{ type: 'link', attrs: { href } }] });

test('cards and links to issues lead to the copies, and the words stay', () => {
  const source = document(
    { type: 'text', text: `SRC-1 and ${URL_OF_SITE}/browse/SRC-1` },
    card(`${URL_OF_SITE}/browse/SRC-1`),
    linked(`${URL_OF_SITE}/browse/SRC-2`),
    linked(`${URL_OF_SITE}/browse/OTHER-1`),
    linked('https://elsewhere.example/browse/SRC-1'),
  );
  const portable = withReferences(source, URL_OF_SITE, refOf);
  assert.equal(hasReferences(portable), true);
  const written = withAddresses(portable, 'https://zenith.atlassian.net', (ref) => ref.replace('SRC', 'TGT'));
  const wanted = document(
    { type: 'text', text: `SRC-1 and ${URL_OF_SITE}/browse/SRC-1` },
    card('https://zenith.atlassian.net/browse/TGT-1'),
    linked('https://zenith.atlassian.net/browse/TGT-2'),
    linked(`${URL_OF_SITE}/browse/OTHER-1`),
    linked('https://elsewhere.example/browse/SRC-1'),
  );
  assert.deepEqual(written, wanted);
});

test('a text whose issues are not all there yet is not written', () => {
  const portable = withReferences(document(card(`${URL_OF_SITE}/browse/SRC-1`)), URL_OF_SITE, refOf);
  assert.equal(
    withAddresses(portable, URL_OF_SITE, () => null),
    null,
  );
});

test('ids of nodes are counted, and files of the media service are noticed', () => {
  const task = (localId: string) => document({ type: 'taskItem', attrs: { localId, state: 'DONE' } });
  assert.deepEqual(withReferences(task('a-b-c'), URL_OF_SITE, refOf), task('1'));
  assert.equal(showsMedia(document({ type: 'media', attrs: { id: 'x' } })), true);
  assert.equal(showsMedia(document({ type: 'text', text: '"type":"media"' })), false);
});

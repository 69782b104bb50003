import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secretsOf, withoutSecrets, wordsOf } from './refusal.ts';

test('the words of a refusal are found in the shapes of all three sites, in one line', () => {
  assert.equal(wordsOf({ message: 'The project\nlimit is reached' }), 'The project limit is reached');
  assert.equal(
    wordsOf({ errorMessages: ['No issue'], errors: { projectKey: 'is taken' } }),
    'No issue; projectKey: is taken',
  );
  assert.equal(
    wordsOf({ errors: [{ status: 400, code: 'INVALID', title: 'Bad space', detail: 'The key is taken' }] }),
    'Bad space; The key is taken',
  );
  assert.equal(
    wordsOf({ statusCode: 403, data: { errors: [{ message: { key: 'x' } }] }, message: 'denied' }),
    'key: x; denied',
  );
  for (const nothing of [null, undefined, 3, [], {}, { stack: 'at x' }]) assert.equal(wordsOf(nothing), '');
});

test('no part of credentials stays in a text, nor does a terminal get to obey it', () => {
  const basic = `Basic ${Buffer.from('ana@example.com:ATATT-token').toString('base64')}`;
  const said = `${basic} ana@example.com:ATATT-token ATATT-token ${wordsOf({ message: 'a\u001b[31mb' })}`;
  assert.equal(withoutSecrets(said, secretsOf({ authorization: basic })), '[secret] [secret] [secret] a [31mb');
});

test('words are cut where an error would become a page', () => {
  assert.equal(withoutSecrets('x'.repeat(10_000), []).length, 501);
});

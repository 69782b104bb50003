import assert from 'node:assert/strict';
import { test } from 'node:test';
import { safeName } from './process-run.ts';

test('safe names never collide with names that were made safe', () => {
  assert.equal(safeName('acme-1.2'), 'acme-1.2');
  assert.match(safeName('Acme'), /^acme~[0-9a-f]{24}$/);
  assert.notEqual(safeName(safeName('Acme')), safeName('Acme'));
  assert.match(safeName(''), /^~/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRetryAfter, readUsedUpBudget } from './read-limits.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');

test('Retry-After is read in seconds and as a date; nonsense and the past are no wait', () => {
  const wait = (value: string): number | null => readRetryAfter(new Headers({ 'retry-after': value }), NOW);
  assert.equal(wait('7'), 7_000);
  assert.equal(wait('0.5'), 500);
  assert.equal(wait('Sat, 21 Nov 2026 12:00:09 GMT'), 9_000);
  assert.equal(wait('Sat, 21 Nov 2026 11:00:00 GMT'), 0);
  assert.equal(wait('99999999999'), 86_400_000);
  assert.equal(wait('soon'), null);
  assert.equal(wait(''), null);
  assert.equal(readRetryAfter(new Headers(), NOW), null);
});

test('a budget that is used up is read in all the shapes that sites use; one that is not is no wait', () => {
  const wait = (headers: Record<string, string>): number | null => readUsedUpBudget(new Headers(headers), NOW);
  assert.equal(wait({ ratelimit: '"default";r=0;t=30' }), 30_000);
  assert.equal(wait({ ratelimit: 'limit=100, remaining=0, reset=12' }), 12_000);
  assert.equal(wait({ ratelimit: '"default";r=3;t=30' }), null);
  assert.equal(wait({ 'ratelimit-remaining': '0', 'ratelimit-reset': '5' }), 5_000);
  assert.equal(wait({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1_000 + 8) }), 8_000);
  assert.equal(wait({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '2026-11-21T12:00Z' }), 0);
  assert.equal(wait({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '2026-11-21T12:01:00Z' }), 60_000);
  assert.equal(wait({ 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': '5' }), null);
  assert.equal(wait({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': 'later' }), null);
  assert.equal(wait({ 'x-ratelimit-remaining': '0' }), null);
  assert.equal(wait({}), null);
});

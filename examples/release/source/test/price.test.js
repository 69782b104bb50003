import assert from 'node:assert/strict';
import { test } from 'node:test';
import { priceOf } from '../server/price.js';

test('a single piece has no discount', () => assert.equal(priceOf(250, 1), 250));
test('10 pieces are 10 % cheaper', () => assert.equal(priceOf(100, 10), 900));
test('100 pieces are 20 % cheaper', () => assert.equal(priceOf(100, 100), 8000));
test('a price without pieces is refused', () => assert.throws(() => priceOf(100, 0), RangeError));

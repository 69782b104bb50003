import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isColmeiaError } from '../errors.ts';
import { canonicalJson, digestOf } from './canonical-json.ts';

test('keys are sorted by UTF-16 code units at every level, without spaces', () => {
  assert.equal(
    canonicalJson({ b: [{ d: 1, c: null }], a: 'x', '😀': 1, '\uFB33': 2 }),
    '{"a":"x","b":[{"c":null,"d":1}],"😀":1,"\uFB33":2}',
  );
});

test('numbers are those of RFC 8785', () => {
  const numbers = [0, -0, 5e-324, -1.7976931348623157e308, 9007199254740992, 295147905179352830000, 1e21, 1e-7];
  assert.equal(
    canonicalJson(numbers),
    '[0,0,5e-324,-1.7976931348623157e+308,9007199254740992,295147905179352830000,1e+21,1e-7]',
  );
});

test('what JSON leaves out is left out, and what it cannot hold is refused', () => {
  assert.equal(
    canonicalJson({ a: undefined, b: [undefined], c: new Date(0) }),
    '{"b":[null],"c":"1970-01-01T00:00:00.000Z"}',
  );
  const circle: unknown[] = [];
  circle.push(circle);
  for (const value of [Number.NaN, [Infinity], 1n, { a: () => {} }, Symbol('s'), undefined, circle]) {
    assert.throws(
      () => canonicalJson(value),
      (error) => isColmeiaError(error, 'INVALID_REQUEST'),
    );
  }
});

test('equal values have the same digest whatever the order of their keys, and different ones differ', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      const text = canonicalJson(one);
      assert.equal(canonicalJson(JSON.parse(text)), text);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(one)));
      assert.equal(digestOf(reversed(one)), digestOf(one));
      assert.equal(digestOf(one) === digestOf(other), text === canonicalJson(other));
    }),
  );
  assert.equal(digestOf({}), '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, field]) => [key, reversed(field)]),
  );
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseJson, valueOf } from './json-text.ts';

const json = fc.json({ maxDepth: 4 }).filter((text) => !text.includes('__proto__'));

function accepts(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('parseJson', () => {
  it('reads every JSON text as JSON.parse does', () => {
    fc.assert(
      fc.property(json, fc.constantFrom(0, 2, '\t'), (text, indent) => {
        const value: unknown = JSON.parse(text);
        const { root } = parseJson(JSON.stringify(value, null, indent));
        assert.deepEqual(valueOf(root!), value);
      }),
    );
  });

  it('accepts a damaged text when JSON.parse does, and else names a place in it', () => {
    const damage = fc.constantFrom('', ',', '"', '}', '\\', "'", '\n', '1', 'nul', '/', '\t', '\u0001');
    fc.assert(
      fc.property(json, fc.nat(), fc.nat({ max: 2 }), damage, (text, at, cut, put) => {
        const place = at % (text.length + 1);
        const damaged = text.slice(0, place) + put + text.slice(place + cut);
        const { root, faults } = parseJson(damaged);
        assert.equal(root !== null, accepts(damaged) && !damaged.includes('__proto__'), damaged);
        const lines = damaged.split('\n');
        for (const { line, column } of faults)
          assert.ok(line >= 1 && line <= lines.length && column >= 1 && column <= lines[line - 1]!.length + 1);
      }),
    );
  });

  it('looks once at a long text that does not end', () => {
    const { faults } = parseJson(`["${'a'.repeat(100_000)}`);
    assert.match(faults[0]!.message, /does not end/);
    assert.equal(parseJson(`["${'a\\n'.repeat(50_000)}"]`).root?.kind, 'array');
  });

  const faulty: [text: string, line: number, column: number, message: RegExp][] = [
    ['{\n  "a": 1,\n}', 2, 9, /no comma/],
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3, /"," or "}"/],
    ['{ a: 1 }', 1, 3, /name in double quotes/],
    ["{ 'a': 1 }", 1, 3, /name in double quotes/],
    ['{ "a": hunter2 }', 1, 8, /a value is expected/],
    ['{ "a": 1 } // x', 1, 12, /nothing may follow/],
    ['[ // x\n1]', 1, 3, /no comments/],
    ['{ "a": "x', 1, 8, /does not end/],
    ['{ "a": 01 }', 1, 9, /"," or "}"/],
    ['', 1, 1, /ends too early/],
    ['{ "__proto__": {} }', 1, 3, /__proto__/],
  ];
  for (const [text, line, column, message] of faulty)
    it(`names line and column of the fault in ${JSON.stringify(text)}`, () => {
      const { root, faults } = parseJson(text);
      assert.equal(root, null);
      assert.deepEqual([faults[0]!.line, faults[0]!.column], [line, column]);
      assert.match(faults[0]!.message, message);
      assert.doesNotMatch(faults[0]!.message, /hunter2/);
    });

  it('names every doubled name, and goes on', () => {
    const { root, faults } = parseJson('{"a": 1, "a": 2, "b": {"c": 1, "c": 3}}');
    assert.deepEqual(valueOf(root!), { a: 2, b: { c: 3 } });
    assert.deepEqual(
      faults.map((fault) => fault.column),
      [10, 32],
    );
  });

  it('gives up on a text that is nested without end, and on none that is long', () => {
    assert.match(parseJson('['.repeat(100_000)).faults[0]!.message, /deeper/);
    const long = JSON.stringify(['x\\"'.repeat(200_000)]);
    assert.deepEqual(valueOf(parseJson(long).root!), JSON.parse(long));
  });
});

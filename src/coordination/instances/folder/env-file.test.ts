import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { envValues, parseEnvFile, withEnvValues } from './env-file.ts';

const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/);
const value = fc.oneof(
  fc.stringMatching(/^[a-z0-9:=.-]{0,12}$/),
  fc.stringMatching(/^"[a-z #'=\n]{0,12}"$/),
  fc.stringMatching(/^'[a-z #"=\n]{0,12}'$/),
);
const line = fc.oneof(
  fc.tuple(name, value).map(([one, two]) => `${one}=${two}`),
  fc.tuple(name, value).map(([one, two]) => `export ${one}=${two} # why`),
  fc.constantFrom('', '# a comment with NAME=value', '   '),
);
const file = fc.array(line, { maxLength: 8 }).map((lines) => `${lines.join('\n')}\n`);

describe('parseEnvFile', () => {
  it('reads what Node reads', () => {
    fc.assert(
      fc.property(file, (text) => {
        const { entries, faults } = parseEnvFile(text);
        assert.deepEqual([Object.fromEntries(envValues(entries)), faults], [{ ...parseEnv(text) }, []]);
      }),
    );
  });

  it('names the line of everything that is no assignment, and reads the rest', () => {
    const { entries, faults } = parseEnvFile('A=1\nhunter2\nB="two\nlines"\n1C=3\nD="open\nE=5\n');
    assert.deepEqual(
      entries.map((entry) => [entry.name, entry.value, entry.line]),
      [
        ['A', '1', 1],
        ['B', 'two\nlines', 3],
        ['E', '5', 7],
      ],
    );
    assert.deepEqual(
      faults.map((fault) => fault.line),
      [2, 5, 6],
    );
    assert.doesNotMatch(JSON.stringify(faults), /hunter2/);
  });
});

describe('withEnvValues', () => {
  it('changes the values that it is told to and nothing else', () => {
    const text = '# first\nexport A = "x y" # of a\r\nB=2\nA=again\n\nC=\'3\'\n';
    const changed = withEnvValues(text, new Map([['A', 'secret:a']]));
    assert.equal(changed, "# first\nexport A = secret:a # of a\r\nB=2\nA=secret:a\n\nC='3'\n");
  });

  it('leaves every other variable as it was, and reads back what it wrote', () => {
    const written = fc.string({ unit: fc.constantFrom('a', ' ', '#', '"', "'", '=', '\\', '$'), maxLength: 6 });
    fc.assert(
      fc.property(file, written, (text, other) => {
        const before = envValues(parseEnvFile(text).entries);
        const first = before.keys().next().value;
        if (first === undefined) return;
        const after = envValues(parseEnvFile(withEnvValues(text, new Map([[first, other]]))).entries);
        assert.deepEqual(after, new Map([...before, [first, other]]));
      }),
    );
  });
});

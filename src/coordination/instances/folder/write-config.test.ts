import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { layOutCompany, temporaryInstances } from './company-folder.testing.ts';
import { withJsonValue, writeConfigValue } from './write-config.ts';

const step = fc.constantFrom('a', 'b', 'c');
const object = fc.dictionary(step, fc.oneof(fc.integer(), fc.string(), fc.dictionary(step, fc.integer())), {
  noNullPrototype: true,
});

describe('withJsonValue', () => {
  it('sets the value at the path and leaves every other one', () => {
    const indents = fc.constantFrom(0, 2, '\t');
    fc.assert(
      fc.property(
        object,
        fc.array(step, { minLength: 1, maxLength: 3 }),
        fc.jsonValue(),
        indents,
        (was, names, value, indent) => {
          const changed = withJsonValue(JSON.stringify(was, null, indent), names, value);
          const expected = structuredClone(was) as Record<string, unknown>;
          let owner = expected;
          for (const name of names.slice(0, -1)) {
            owner[name] ??= {};
            if (typeof owner[name] !== 'object') return assert.equal(changed, null);
            owner = owner[name] as Record<string, unknown>;
          }
          owner[names.at(-1)!] = value;
          assert.deepEqual(JSON.parse(changed!), JSON.parse(JSON.stringify(expected)));
        },
      ),
    );
  });

  it('keeps the manner of the text: indents, line ends, one-line objects', () => {
    const text = '{\r\n    "a": {"x": 1},\r\n\r\n    "b":   [1,2]\r\n}\r\n';
    assert.equal(withJsonValue(text, ['a', 'y'], 2), text.replace('{"x": 1}', '{"x": 1, "y": 2}'));
    assert.equal(withJsonValue(text, ['b', 1], 3), text.replace('[1,2]', '[1,3]'));
    assert.equal(
      withJsonValue(text, ['c'], { d: null }),
      text.replace('[1,2]\r\n', '[1,2],\r\n    "c": {\r\n        "d": null\r\n    }\r\n'),
    );
    assert.equal(withJsonValue('{}\n', ['a'], 1), '{\n  "a": 1\n}\n');
  });
});

describe('writeConfigValue', () => {
  it('writes into the file of a company and keeps its mode', async () => {
    const folder = await layOutCompany(temporaryInstances());
    await writeConfigValue(folder, 'atlassian.config.json', ['jira', 'project_key'], 'ACME');
    const file = path.join(folder, 'atlassian.config.json');
    assert.equal(
      (JSON.parse(fs.readFileSync(file, 'utf8')) as { jira: { project_key: string } }).jira.project_key,
      'ACME',
    );
    if (process.platform !== 'win32') assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(
      fs.readdirSync(folder).filter((name) => name.endsWith('.part')),
      [],
    );
  });

  it('changes nothing in a file that is no JSON', async () => {
    const folder = await layOutCompany(temporaryInstances());
    const file = path.join(folder, 'config.json');
    fs.writeFileSync(file, '{ "tier": gold }');
    await assert.rejects(writeConfigValue(folder, 'config.json', ['tier'], 'gold'), { code: 'INSTANCE_INVALID' });
    assert.equal(fs.readFileSync(file, 'utf8'), '{ "tier": gold }');
  });
});

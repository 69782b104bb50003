import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isCompanyName, nameFaults } from './company-name.ts';

describe('nameFaults', () => {
  for (const name of ['a', 'acme', 'acme-2', 'x'.repeat(40), 'com', 'default'])
    it(`lets a company be called ${name}`, () => assert.deepEqual(nameFaults(name), []));

  const refused = [
    '',
    '../x',
    'x'.repeat(200),
    'x'.repeat(41),
    '🐝',
    'Acme',
    'a_b',
    'a--b',
    'a-',
    '-a',
    '1a',
    'a.b',
    'a b',
    'ação',
    'a\u0000',
    7,
    null,
  ];
  for (const name of refused)
    it(`refuses ${JSON.stringify(name)?.slice(0, 20)} with the rule`, () => {
      const [fault] = nameFaults(name);
      assert.match(fault!.message, /lower-case letters/);
    });

  for (const name of [
    'public',
    'postgres',
    'template1',
    'pg-catalog',
    'select',
    'user',
    'table',
    'con',
    'nul',
    'com1',
    'lpt9',
    'colmeia',
    'colmeia-x',
    'system',
    'information-schema',
  ])
    it(`keeps ${name} back`, () =>
      assert.deepEqual(nameFaults(name), [{ path: 'name', message: 'is a reserved word' }]));

  it('refuses whatever is no name of a folder', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        if (nameFaults(name).length === 0) assert.ok(isCompanyName(name));
        if (isCompanyName(name)) assert.match(name, /^[a-z0-9-]+$/);
      }),
    );
  });
});

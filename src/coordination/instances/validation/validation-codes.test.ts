import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { healthOf, companyFault, VALIDATION_CODES } from './validation-codes.ts';

it('docs/validation.md has a row for every code, with its severity, and for no other', () => {
  const doc = fs.readFileSync(path.join(import.meta.dirname, '../../../../docs/validation.md'), 'utf8');
  const rows = [...doc.matchAll(/^\| `([A-Z_]+)` \| (\w+) \|/gm)].map(([, code, severity]) => `${code} ${severity}`);
  assert.deepEqual(
    rows.sort(),
    Object.entries(VALIDATION_CODES)
      .map(([code, { severity }]) => `${code} ${severity}`)
      .sort(),
  );
});

it('an error makes a company unhealthy, a warning degraded, information neither', () => {
  const [error, warning, info] = (['RLS_OFF', 'KEY_UNUSED', 'KEY_ALL_SCOPES'] as const).map((code) =>
    companyFault(code, '', ''),
  );
  assert.deepEqual([[], [info!], [info!, warning!], [warning!, error!]].map(healthOf), [
    'healthy',
    'healthy',
    'degraded',
    'unhealthy',
  ]);
});

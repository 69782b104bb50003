import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CompanyFault } from '../instance-views.ts';
import { InspectionMemory } from './inspection-memory.ts';
import { companyFault, type ValidationCode } from './validation-codes.ts';

const HOUR_MS = 3_600_000;
const MIGRATIONS = [{ origin: 'company', version: 1, name: 'a', file: 'migrations/0001_a.sql', checksum: 'c' }];
const fault = (code: ValidationCode): CompanyFault => companyFault(code, 'x', 'x');

function memory(stored: CompanyFault[] | null, random = 0.5) {
  const time = { now: 0 };
  const kept = new InspectionMemory({
    clock: { now: () => time.now },
    random: () => random,
    stored: async () => stored,
  });
  return { kept, time, recall: async () => (await kept.recall('acme', MIGRATIONS))?.map(({ code }) => code) ?? null };
}

describe('InspectionMemory', () => {
  it('holds what was found for an hour, good or bad', async () => {
    const { kept, time, recall } = memory(null);
    assert.equal(await recall(), null);
    kept.keep('acme', MIGRATIONS, [fault('RLS_OFF')]);
    time.now = HOUR_MS - 1;
    assert.deepEqual(await recall(), ['RLS_OFF']);
    time.now = HOUR_MS;
    assert.equal(await recall(), null);
  });

  it('looks again when the migrations of the folder are others, and while a database does not answer', async () => {
    const { kept, recall } = memory(null);
    kept.keep('acme', [...MIGRATIONS, { ...MIGRATIONS[0]!, version: 2 }], []);
    assert.equal(await recall(), null);
    kept.keep('acme', MIGRATIONS, [fault('DATABASE_UNREACHABLE')]);
    assert.equal(await recall(), null);
  });

  it('goes on after a start with what the registry has, and looks at some time within the hour', async () => {
    const { time, recall } = memory([fault('RLS_OFF'), fault('KEY_UNUSED')], 0.25);
    assert.deepEqual(await recall(), ['RLS_OFF']);
    time.now = HOUR_MS / 4;
    assert.equal(await recall(), null);
  });

  it('looks at once after a start when nothing is known, or the database was not there', async () => {
    for (const stored of [null, [fault('NOT_INITIALIZED')], [fault('DATABASE_UNREACHABLE')]])
      assert.equal(await memory(stored).recall(), null);
  });
});

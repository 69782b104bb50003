import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ColmeiaError } from '../../../platform/errors.ts';
import { unreachable } from '../databases/inspect.ts';
import { layOutCompany, registeredCompany, temporaryInstances } from '../folder/company-folder.testing.ts';
import { InstanceContexts } from '../folder/instance-contexts.ts';
import { InspectionMemory } from './inspection-memory.ts';
import { CheckRunner } from './run-checks.ts';
import { validateInstance, type ValidationParts } from './validate-instance.ts';

const OFF = { supabase: 'off: not enabled', jira: 'off: no Jira credentials', confluence: 'off: no credentials' };
const reachable = { ...unreachable(''), reachable: true, reason: null, migrated: true };
const forever: Promise<never> = new Promise(() => {});
const impatient = (deadlineMs: number): CheckRunner => new CheckRunner({ deadlineMs, onError: () => {} });

async function company(more: Partial<ValidationParts> = {}, row: Parameters<typeof registeredCompany>[1] = {}) {
  const instancesFolder = temporaryInstances();
  const folder = await layOutCompany(instancesFolder);
  const registered = { ...registeredCompany('acme', row), monthCostUsd: 7 };
  const find = async (name: string) => (name === 'acme' ? registered : null);
  const parts: ValidationParts = {
    contexts: new InstanceContexts({ instancesFolder, row: find, secretNames: async () => [] }),
    runner: new CheckRunner({ deadlineMs: 60_000, onError: () => {} }),
    clock: { now: () => Date.UTC(2026, 10, 21) },
    row: find,
    inspect: async () => reachable,
    memory: null,
    keys: async () => [],
    accounts: async () => OFF,
    disks: [],
    searchPath: '',
    fetch,
    ...more,
  };
  return { parts, folder, validate: () => validateInstance(parts, 'acme') };
}

describe('validateInstance', () => {
  it('finds a new company healthy, and says what is off and why', async () => {
    const { validate } = await company();
    const report = await validate();
    assert.deepEqual(
      [report.name, report.health, report.validated_at],
      ['acme', 'healthy', '2026-11-21T00:00:00.000Z'],
    );
    assert.deepEqual(
      report.faults.map(({ code }) => code),
      ['NOT_INITIALIZED'],
    );
    assert.deepEqual(
      report.checks.map(({ name, state, detail }) => [name, detail ?? state]),
      [
        ['files', 'ok'],
        ['secrets', 'ok'],
        ['settings', 'ok'],
        ['database', 'ok'],
        ['keys', 'ok'],
        ['supabase', OFF.supabase],
        ['jira', OFF.jira],
        ['confluence', OFF.confluence],
        ['mcp', 'ok'],
        ['disk', 'ok'],
      ],
    );
  });

  it('finds faults of every kind at once, errors first', async () => {
    const jira = { check: async () => ({ ok: false, detail: 'refuses the token', clockSkewMs: 0 }) };
    const confluence = { check: async () => ({ ok: true, detail: '', clockSkewMs: 600_000 }) };
    const { validate, folder } = await company(
      { inspect: async () => unreachable('away'), accounts: async () => ({ ...OFF, jira, confluence }) },
      { tier: 'gold', budget_usd: 5, initialized: true },
    );
    fs.writeFileSync(path.join(folder, '.env'), 'A_TOKEN=secret:a_token\nB_KEY=plain\n', { mode: 0o600 });
    fs.writeFileSync(path.join(folder, 'mcp.json'), '{"mcpServers": {"x": {"command": "no-such-tool"}}}');
    fs.chmodSync(path.join(folder, '.env'), 0o644);
    fs.chmodSync(folder, 0o755);
    const report = await validate();
    assert.equal(report.health, 'unhealthy');
    const modes = process.platform === 'win32' ? [] : ['ENV_OPEN', 'FOLDER_OPEN'];
    assert.deepEqual(
      report.faults.map(({ code }) => code).sort(),
      [
        'ACCOUNT_FAILED',
        'BUDGET_EXCEEDED',
        'CLOCK_SKEW',
        'DATABASE_UNREACHABLE',
        'MCP_COMMAND_MISSING',
        'PLAIN_SECRET',
        'SECRET_MISSING',
        'SETTING_DIFFERS',
        'SETTING_DIFFERS',
        ...modes,
      ].sort(),
    );
    const severities = report.faults.map(({ severity }) => severity);
    assert.deepEqual(severities, severities.toSorted());
    assert.ok(report.faults.every(({ message, remedy }) => message !== '' && remedy !== ''));
  });

  it('goes on when any part is away, breaks or hangs', async () => {
    const broken = (): Promise<never> => Promise.reject(new ColmeiaError('STORE_UNAVAILABLE', 'away'));
    for (const part of ['inspect', 'keys', 'accounts'] as const) {
      for (const how of [broken, () => forever]) {
        const { validate } = await company(
          { [part]: how, ...(how === broken ? {} : { runner: impatient(500) }) },
          { initialized: true },
        );
        const codes = new Set((await validate()).faults.map(({ code }) => code));
        assert.deepEqual([...codes], [how === broken ? 'CHECK_FAILED' : 'CHECK_TIMEOUT']);
      }
    }
  });

  it('tells of a folder that is gone, and of a disk that hangs', async () => {
    const { validate, folder } = await company();
    fs.rmSync(folder, { recursive: true });
    assert.deepEqual(
      (await validate()).faults.map(({ code }) => code),
      ['FOLDER_MISSING', 'NOT_INITIALIZED'],
    );
    const hung = await company({ contexts: { load: () => forever }, runner: impatient(20) });
    const report = await hung.validate();
    assert.deepEqual([report.faults.map(({ code }) => code), report.checks.length], [['CHECK_TIMEOUT'], 1]);
  });

  it('throws for a company that is not there', async () => {
    const { parts } = await company();
    await assert.rejects(validateInstance(parts, 'other'), { code: 'INSTANCE_NOT_FOUND' });
  });
});

describe('validateInstance in the background', () => {
  it('opens no database again whose state is known, and does for somebody who asks', async () => {
    let opened = 0;
    const memory = new InspectionMemory({ clock: { now: () => 0 }, random: () => 0, stored: async () => null });
    const inspect = async () => ({ ...reachable, migrated: ++opened > 2 });
    const { parts } = await company({ inspect, memory }, { initialized: true });
    const codes = async (cause: 'asked' | 'background') =>
      (await validateInstance(parts, 'acme', cause)).faults.map(({ code }) => code);
    assert.deepEqual(await codes('background'), ['MIGRATION_PENDING']);
    assert.deepEqual([await codes('background'), opened], [['MIGRATION_PENDING'], 1]);
    assert.deepEqual([await codes('asked'), opened], [['MIGRATION_PENDING'], 2]);
    assert.deepEqual([await codes('asked'), await codes('background'), opened], [[], [], 3]);
  });
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { describeSettings, SETTINGS_PAGE } from '../../scripts/describe-settings.ts';
import { DEGRADATION_ORDER } from '../../src/execution/scheduling/contingency/degradation.ts';
import { BURN_SETTINGS } from '../../src/execution/scheduling/models/burn-mode.ts';
import { policyOf, POLICY_SETTINGS, PRESETS } from '../../src/execution/scheduling/policy.ts';
import { documentName } from '../../src/execution/scheduling/setting.ts';
import { SETTING_TABLES } from '../../src/execution/swarm/scheduling-config.ts';

const guide = readFileSync(new URL('../../docs/scheduling.md', import.meta.url), 'utf8');

test('the page of settings is what the tables say, and names every one', () => {
  const page = readFileSync(SETTINGS_PAGE, 'utf8');
  assert.equal(page, describeSettings(), 'write it again: node scripts/describe-settings.ts');
  for (const table of [POLICY_SETTINGS, ...Object.values(SETTING_TABLES)])
    for (const name of Object.keys(table)) assert.ok(page.includes(`| \`${documentName(name)}\` |`), name);
});

test('the guide names every preset, every step of degradation, and the figures that are in force', () => {
  for (const name of PRESETS) assert.ok(guide.includes(`\n| \`${name}\``), name);
  for (const { step, name, from } of DEGRADATION_ORDER)
    assert.ok(guide.includes(`\n| ${step} | \`${name}\` | ${from} |`), name);
  const { busySeconds, saturatedSeconds, overloadedSeconds } = SETTING_TABLES.saturation;
  const [busy, saturated, overloaded] = [busySeconds, saturatedSeconds, overloadedSeconds].map((one) =>
    one.default.toLocaleString('en'),
  );
  assert.ok(guide.includes(`from ${busy} s the fleet is busy, from ${saturated} s saturated, from ${overloaded} s`));
  assert.ok(guide.includes(`| critical | ${BURN_SETTINGS.criticalBurn.default} over`));
  assert.ok(guide.includes(`| tight | ${BURN_SETTINGS.tightBurn.default} over`));
  const { gold, silver, bronze } = policyOf('adaptive').tiers;
  assert.ok(guide.includes(`gold ${gold}, silver ${silver}, bronze ${bronze}`));
});

test('the guide names no setting that there is not', () => {
  const tables = [POLICY_SETTINGS, ...Object.values(SETTING_TABLES)];
  const known = new Set(tables.flatMap((table) => Object.keys(table).map(documentName)));
  const elsewhere = ['per_company', 'per_label', 'prefer_region', 'data_location', 'task_types', 'security_level'];
  const labels = ['cost_per_hour', 'last_resort', 'estimate_source', 'estimated_duration_ms'];
  const metrics = ['orchestration_sla_burn_rate', 'orchestration_sla_budget_remaining_percent'];
  const said = [...guide.matchAll(/`(?:caps\.|metadata\.)?([a-z]+(?:_[a-z]+)+)`/g)].map(([, name]) => name!);
  const unknown = said.filter((name) => !known.has(name) && ![...elsewhere, ...labels, ...metrics].includes(name));
  assert.deepEqual(unknown, []);
});

// Writes docs/scheduling-settings.md from the tables of settings and plugins: `node scripts/describe-settings.ts`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { EXPERIMENT_SETTINGS } from '../src/execution/scheduling/experiments/experiment-settings.ts';
import { FILTER_PLUGINS } from '../src/execution/scheduling/filter-plugins.ts';
import { ORDER_PLUGINS } from '../src/execution/scheduling/order-plugins.ts';
import { COMPANY_RULES, policyOf, POLICY_SETTINGS, PRESETS } from '../src/execution/scheduling/policy.ts';
import { SCORE_PLUGINS } from '../src/execution/scheduling/score-plugins.ts';
import { documentName, type SettingTable } from '../src/execution/scheduling/setting.ts';
import { SETTING_TABLES } from '../src/execution/swarm/scheduling-config.ts';

export const SETTINGS_PAGE = join(fileURLToPath(import.meta.url), '../../docs/scheduling-settings.md');

const WHAT_TABLE: Readonly<Record<keyof typeof SETTING_TABLES, string>> = {
  durations: 'How long tickets take, learned from results.',
  sla: 'When a deadline counts as in danger.',
  trails: 'What is learned of each agent, by task type.',
  guards: 'Limits, circuit breakers, and ejection of outliers.',
  speculation: 'Second attempts of tickets that take too long.',
  burn: 'Error budgets and the modes of a company.',
  saturation: 'When classes and the fleet count as busy, saturated, overloaded.',
  burst: 'The burst pool.',
  degradation: 'How fast service is reduced and restored.',
};

/** The page, which a test compares to the file. */
export function describeSettings(): string {
  const tables = Object.entries(SETTING_TABLES).map(
    ([name, table]) =>
      `## settings.${name}\n\n${WHAT_TABLE[name as keyof typeof SETTING_TABLES]}\n\n${settingsTable(table)}`,
  );
  return `# Settings of scheduling

Everything that the policy document may say; what it leaves out has its default. [Scheduling](scheduling.md) explains it. This page is written by \`node scripts/describe-settings.ts\`.

## The document

| field | default (\`adaptive\`) | what |
|---|---|---|
| \`preset\` | \`adaptive\` | ${names(PRESETS)}: what holds where the document says nothing. |
| \`companies\` | \`${policyOf('adaptive').companies}\` | How companies stand to each other: ${names(COMPANY_RULES)} (bounded lag, by turns, not at all). |
| \`order\` | ${names(policyOf('adaptive').order)} | Keys of the order; the first that differs decides. |
| \`filters\` | all | Why an agent does not get a ticket. |
| \`scores\` | ${weights(policyOf('adaptive').scores)} | Weights of what it costs to give a ticket to an agent; the least wins. |
| \`tiers\` | ${weights(policyOf('adaptive').tiers)} | Weight of a company by its tier; a tier that is not named weighs 1. |
| \`hold\` | \`true\` | A ticket waits for a busy agent that ends it sooner than a free one. |
| \`exploration\` | \`true\` | Low-risk work tries agents that are not well known. |
| \`caps\` | none | Caps on what runs at once: \`running\`, \`per_company\`, \`per_label\` as \`{"provider=openai": 10}\`; null = none. |
| \`objectives\` | \`{"target": 0.99}\` | Share of results on time over 28 days: \`target\`, \`types\` by task type, and the same in \`tiers\` and \`companies\` by name; the most specific one holds. |
| \`settings\` | | The tables below, by name. |

${settingsTable(POLICY_SETTINGS)}

${plugins('order', ORDER_PLUGINS)}

${plugins('filters', FILTER_PLUGINS)}

${plugins('scores', SCORE_PLUGINS)}

${tables.join('\n\n')}

## An experiment

Beside \`a\`, \`b\` (presets) and \`metric\`.

${settingsTable(EXPERIMENT_SETTINGS)}
`;
}

const names = (all: readonly string[]): string => all.map((name) => `\`${name}\``).join(', ');
const weights = (all: Readonly<Record<string, number>>): string =>
  Object.entries(all)
    .map(([name, weight]) => `\`${name}\` ${weight}`)
    .join(', ');

function settingsTable(table: SettingTable): string {
  const rows = Object.entries(table).map(
    ([name, { default: value, min, max, what }]) =>
      `| \`${documentName(name)}\` | ${value} | ${min} – ${max} | ${sentence(what)} |`,
  );
  return `| setting | default | from – to | what |\n|---|---|---|---|\n${rows.join('\n')}`;
}

function plugins(field: string, all: Readonly<Record<string, { what: string }>>): string {
  const rows = Object.entries(all).map(([name, { what }]) => `| \`${name}\` | ${sentence(what)} |`);
  return `## ${field}\n\n| name | what |\n|---|---|\n${rows.join('\n')}`;
}

const sentence = (what: string): string => `${what.replaceAll('|', '\\|').replace(/\.$/, '')}.`;

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(SETTINGS_PAGE, describeSettings());

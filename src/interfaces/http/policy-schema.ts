import { FILTER_PLUGINS } from '../../execution/scheduling/filter-plugins.ts';
import { ORDER_PLUGINS } from '../../execution/scheduling/order-plugins.ts';
import { COMPANY_RULES, POLICY_SETTINGS, PRESETS } from '../../execution/scheduling/policy.ts';
import { SCORE_PLUGINS } from '../../execution/scheduling/score-plugins.ts';
import { documentName, type SettingTable } from '../../execution/scheduling/setting.ts';
import { SETTING_TABLES } from '../../execution/swarm/scheduling-config.ts';
import { flag } from './answer-schemas.ts';
import type { DocSchema } from './operation.ts';

/** Fields of a document for the numbers of a table. */
export function settingsSchema(table: SettingTable): { readonly [name: string]: DocSchema } {
  return Object.fromEntries(
    Object.entries(table).map(([name, { min, max, default: value, what }]) => [
      documentName(name),
      { type: 'number', minimum: min, maximum: max, default: value, description: what },
    ]),
  );
}

type Plugins = Readonly<Record<string, { what: string }>>;

const said = (plugins: Plugins): string =>
  Object.entries(plugins)
    .map(([name, { what }]) => `\`${name}\`: ${what}`)
    .join(' ');

const namesOf = (plugins: Plugins, description: string): DocSchema => ({
  type: 'array',
  items: { type: 'string', enum: Object.keys(plugins) },
  description: `${description} ${said(plugins)}`,
});

const cap = { type: ['integer', 'null'], minimum: 0 } as const;
const target = { type: 'number', minimum: 0.5, maximum: 0.9999 } as const;
const types = { type: 'object', additionalProperties: target, description: 'Targets by task type.' } as const;
const objectives = {
  type: 'object',
  additionalProperties: { type: 'object', properties: { target, types } },
} as const;

/** The document of a policy, as the API shows it; it is checked by what takes it. */
export const POLICY_SCHEMA: DocSchema = {
  type: 'object',
  properties: {
    preset: { type: 'string', enum: PRESETS, default: 'adaptive', description: 'What holds where nothing is said.' },
    ...settingsSchema(POLICY_SETTINGS),
    companies: {
      type: 'string',
      enum: COMPANY_RULES,
      description: 'How companies stand to each other: by bounded lag, by turns, or not at all.',
    },
    order: namesOf(ORDER_PLUGINS, 'Keys of the order of what waits; the first that differs decides.'),
    filters: namesOf(FILTER_PLUGINS, 'Why an agent does not get a ticket:'),
    scores: {
      type: 'object',
      properties: Object.fromEntries(Object.keys(SCORE_PLUGINS).map((name) => [name, { type: 'number', minimum: 0 }])),
      description: `Weights of what it costs to give a ticket to an agent; the least wins. ${said(SCORE_PLUGINS)}`,
    },
    tiers: {
      type: 'object',
      additionalProperties: { type: 'number', minimum: 0 },
      description: 'Weight of a company by its tier; a tier that is not named weighs 1.',
    },
    hold: { ...flag, description: 'A ticket waits for a busy agent that ends it sooner than a free one.' },
    exploration: { ...flag, description: 'Low-risk work tries agents that are not well known.' },
    caps: {
      type: 'object',
      properties: {
        running: cap,
        per_company: cap,
        per_label: { type: 'object', additionalProperties: cap, description: 'As `{"provider=openai": 10}`.' },
      },
      description: 'Caps on what runs at once; null = none.',
    },
    objectives: {
      type: 'object',
      properties: { target, types, tiers: objectives, companies: objectives },
      description: 'Which share of results must be on time, over 28 days; the most specific one holds.',
    },
    settings: {
      type: 'object',
      properties: Object.fromEntries(
        Object.entries(SETTING_TABLES).map(([name, table]) => [
          name,
          { type: 'object', properties: settingsSchema(table) },
        ]),
      ),
    },
  },
};

import { STRATEGIES, TIERS } from '../../coordination/instances/instance-views.ts';
import { anything, flag, openObject, shape, text, textList, textOrNull } from './answer-schemas.ts';
import type { DocSchema } from './operation.ts';

const count = { type: 'integer', minimum: 0 } as const;
const number = { type: 'number' } as const;
const numberOrNull = { type: ['number', 'null'] } as const;
const moment = { type: 'string', format: 'date-time' } as const;
const momentOrNull = { type: ['string', 'null'], format: 'date-time' } as const;
const listOf = (name: string): DocSchema => ({ type: 'array', items: { $ref: `${name}#` } });
const orNull = (description: string, fields: { readonly [name: string]: unknown }): DocSchema => ({
  ...shape(fields),
  type: ['object', 'null'],
  description,
});

const instance = {
  name: text,
  tier: { type: 'string', enum: [...TIERS] },
  strategy: { type: 'string', enum: [...STRATEGIES], description: 'How isolated its own data is.' },
  template: text,
  state: { type: 'string', enum: ['active', 'paused', 'deleting'] },
  initialized: { ...flag, description: 'Its database and accounts are made.' },
  health: { type: 'string', enum: ['unknown', 'healthy', 'degraded', 'unhealthy'] },
  budget_usd: { ...numberOrNull, description: 'Of language models, for a calendar month (UTC); null = no limit.' },
  created_at: moment,
};

const statistics = {
  plans_received: count,
  plans_open: count,
  plans_completed: count,
  plans_failed: count,
  plans_cancelled: count,
  tickets_completed: count,
  tickets_failed: count,
  cost_usd: { ...number, description: 'Of language models, since it was founded.' },
  month_cost_usd: { ...number, description: 'In this calendar month (UTC).' },
  last_event_at: momentOrNull,
};
const summary = { ...instance, statistics: shape(statistics) };

const fault = {
  code: { ...text, description: 'Stable, as FILE_MISSING.' },
  severity: { type: 'string', enum: ['error', 'warning', 'info'] },
  place: { ...text, description: 'File and path in it, table, or account.' },
  message: text,
  remedy: text,
};
const resource = { kind: text, id: text, site: { ...text, description: 'Empty: this machine, or this database.' } };

const step = {
  name: text,
  state: { type: 'string', enum: ['pending', 'running', 'done', 'failed', 'undone'] },
  detail: { ...text, description: 'What it is at, or what it did.' },
  share: { ...numberOrNull, description: '0 to 1; null = not known.' },
  started_at: momentOrNull,
  ended_at: momentOrNull,
};
const kind = { type: 'string', enum: ['create', 'init', 'clone', 'delete', 'rename', 'export', 'import'] };
const operation = {
  id: text,
  instance: text,
  kind,
  state: { type: 'string', enum: ['running', 'completed', 'failed', 'undoing', 'undone'] },
  steps: { type: 'array', items: shape(step) },
  result: { ...openObject, type: ['object', 'null'], description: 'What it came to; null until it has completed.' },
  error: orNull('Why it failed.', { code: text, message: text }),
  by: text,
  rev: { type: 'integer', description: 'Counts changes: `after_rev` of a caller that waits for the next one.' },
  started_at: moment,
  ended_at: momentOrNull,
};

/** Schemas of companies that the document names. */
export const INSTANCE_SCHEMAS: readonly ({ $id: string } & DocSchema)[] = [
  { $id: 'Instance', title: 'Instance', ...shape(instance) },
  { $id: 'InstanceSummary', title: 'InstanceSummary', ...shape(summary) },
  { $id: 'CompanyFault', title: 'CompanyFault', ...shape(fault) },
  { $id: 'Resource', title: 'Resource', ...shape(resource) },
  {
    $id: 'CompanyOperation',
    title: 'CompanyOperation',
    description: 'What is done to a company in steps. It outlives its caller and a crash of the process.',
    ...shape(operation),
  },
  {
    $id: 'InstanceDetail',
    title: 'InstanceDetail',
    ...shape({
      ...summary,
      folder: { ...textOrNull, description: 'Where its files are on the server; null to all but operators.' },
      validated_at: momentOrNull,
      faults: listOf('CompanyFault'),
      owners: textList,
      resources: listOf('Resource'),
      operation: {
        anyOf: [{ $ref: 'CompanyOperation#' }, { type: 'null' }],
        description: 'The operation under way; null = none.',
      },
    }),
  },
  {
    $id: 'InstanceStats',
    title: 'InstanceStats',
    ...shape({
      name: text,
      ...statistics,
      agents: count,
      keys: count,
      secrets: count,
      components: count,
      database: orNull('null = not initialized, or not reachable.', { tables: count, rows: count, bytes: count }),
      files: orNull('null = companies have no files here.', { count, bytes: count }),
    }),
  },
  {
    $id: 'Validation',
    title: 'Validation',
    ...shape({
      name: text,
      health: instance.health,
      faults: listOf('CompanyFault'),
      checks: {
        type: 'array',
        description: 'What was looked at, and what was left out: an integration that is off.',
        items: shape(
          { name: text, state: { type: 'string', enum: ['ok', 'failed', 'off'] }, ms: number, detail: text },
          ['detail'],
        ),
      },
      validated_at: moment,
    }),
  },
  {
    $id: 'OperationPlan',
    title: 'OperationPlan',
    ...shape({
      kind,
      instance: text,
      steps: {
        type: 'array',
        items: shape({ name: text, detail: text, rows: count, bytes: count, calls: count }, ['rows', 'bytes', 'calls']),
      },
      obstacles: { ...listOf('CompanyFault'), description: 'What stands in the way.' },
    }),
  },
  {
    $id: 'InstanceDifference',
    title: 'InstanceDifference',
    ...shape({
      name: text,
      kind: { type: 'string', enum: ['folder-missing', 'not-registered', 'setting'] },
      setting: { ...text, description: 'Of kind setting: tier, budget_usd, …; else empty.' },
      registry: anything,
      folder: anything,
    }),
  },
  {
    $id: 'Export',
    title: 'Export',
    ...shape({
      file: text,
      bytes: count,
      created_at: moment,
      instance: { ...textOrNull, description: 'The company that was written.' },
      colmeia: { ...textOrNull, description: 'The version that wrote it.' },
      fault: { ...textOrNull, description: 'Why it is of no use; null = its manifest can be read.' },
    }),
  },
  {
    $id: 'Owner',
    title: 'Owner',
    ...shape({
      principal: { ...text, description: 'As user:ana@acme.example.' },
      added_by: text,
      added_at: moment,
    }),
  },
];

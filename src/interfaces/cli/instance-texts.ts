import type { CloneProof } from '../../coordination/instances/clone/clone-proof.ts';
import type {
  CompanyFault,
  InstanceDetail,
  InstanceStatistics,
  InstanceStats,
  OperationView,
} from '../../coordination/instances/instance-views.ts';
import type { Manifest } from '../../coordination/instances/portable/portable-manifest.ts';
import { formatBytes, formatDuration, formatTime, printable } from './table.ts';

type Line = [name: string, value: string | number | null];

const linesOf = (lines: readonly Line[], width: number): string =>
  lines
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name.padEnd(width)} ${printable(value)}\n`)
    .join('');

const usd = (amount: number): string => `${amount.toFixed(2)} USD`;

function figures(of: InstanceStatistics): Line[] {
  const { plans_received, plans_open, plans_completed, plans_failed, plans_cancelled } = of;
  return [
    [
      'plans',
      `${plans_received} received, ${plans_open} open, ${plans_completed} completed, ${plans_failed} failed, ${plans_cancelled} cancelled`,
    ],
    ['tickets', `${of.tickets_completed} completed, ${of.tickets_failed} failed`],
    ['cost', `${usd(of.cost_usd)}, this month ${usd(of.month_cost_usd)}`],
    ['last event', formatTime(of.last_event_at)],
  ];
}

export function detailText(detail: InstanceDetail): string {
  const { operation, budget_usd: budget, validated_at, faults } = detail;
  const lines: Line[] = [
    ['company', detail.name],
    [
      'state',
      detail.initialized ? detail.state : `${detail.state}, not initialized: colmeia instance init ${detail.name}`,
    ],
    ['health', validated_at === null ? detail.health : `${detail.health} at ${formatTime(validated_at)}`],
    ['strategy', detail.strategy],
    ['tier', detail.tier],
    ['template', detail.template],
    ['budget', budget === null ? 'no limit' : `${usd(budget)} a month`],
    ['owners', detail.owners.join(', ')],
    ['created', formatTime(detail.created_at)],
    ['folder', detail.folder],
    ...detail.resources.map(({ kind, id, site }): Line => ['has', `${kind} ${id}${site === '' ? '' : ` at ${site}`}`]),
    ...figures(detail.statistics),
    ['operation', operation === null ? null : `${operation.kind} ${operation.id} is under way`],
    ...faults.map((fault): Line => [fault.severity, faultLine(fault)]),
  ];
  return linesOf(lines, 10);
}

const faultLine = ({ code, place, message, remedy }: CompanyFault): string =>
  `${code} ${place}: ${message} (${remedy})`;

export function statsText(stats: InstanceStats): string {
  const { database, files } = stats;
  const lines: Line[] = [
    ['company', stats.name],
    ...figures(stats),
    ['agents', stats.agents],
    ['keys', stats.keys],
    ['secrets', stats.secrets],
    ['components', stats.components],
    [
      'database',
      database === null
        ? 'none, or not reachable'
        : `${database.tables} tables, ${database.rows} rows, ${formatBytes(database.bytes)}`,
    ],
    ['files', files === null ? null : `${files.count}, ${formatBytes(files.bytes)}`],
  ];
  return linesOf(lines, 10);
}

/** What an operation came to, value by value. */
export function resultText({ kind, instance, result, started_at, ended_at }: OperationView): string {
  const took = ended_at === null ? '' : ` in ${formatDuration(Date.parse(ended_at) - Date.parse(started_at))}`;
  const lines = Object.entries(result ?? {}).flatMap(([name, value]): Line[] => {
    if (name === 'proof' && value !== null) return proofLines(value as CloneProof);
    if (name === 'manifest' && value !== null) return manifestLines(value as Manifest);
    return valuesOf(value).map((text) => [name.replaceAll('_', ' '), text]);
  });
  const width = Math.max(8, ...lines.map(([name]) => name.length));
  const indented = lines.map(([name, value]): Line => [`  ${name}`, value]);
  return `${kind} of ${instance}: done${took}\n${linesOf(indented, width + 2)}`;
}

function proofLines({ holds, parts, freeze_ms, frozen_at, secrets_to_set }: CloneProof): Line[] {
  return [
    ['proof', holds ? 'holds' : 'does not hold'],
    ['as of', `${formatTime(frozen_at)}; writes to the source waited ${formatDuration(freeze_ms)}`],
    ...parts.flatMap(({ part, state, compared, differences, differing }): Line[] => [
      [part, `${state}: ${compared}${differing > differences.length ? `; ${differing} differ` : ''}`],
      ...differences.map((difference): Line => [part, difference]),
    ]),
    ['to be set', secrets_to_set.map((name) => `secret ${name}`).join(', ')],
  ];
}

function manifestLines({ database, owners, secrets, left_out }: Manifest): Line[] {
  return [
    ['rows', database === null ? null : database.rows],
    ['owners', owners.join(', ')],
    ['secrets', secrets.length === 0 ? null : `left out: ${secrets.join(', ')}`],
    ...left_out.map((why): Line => ['left out', why]),
  ];
}

function valuesOf(value: unknown): (string | number)[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap((one) => valuesOf(one));
  if (typeof value !== 'object') return [typeof value === 'number' ? value : String(value)];
  const { kind, id, site } = value as Record<string, unknown>;
  if (typeof kind === 'string' && typeof id === 'string')
    return [`${kind} ${id}${typeof site === 'string' && site !== '' ? ` at ${site}` : ''}`];
  const parts = Object.entries(value).flatMap(([name, inner]) => {
    const values = valuesOf(inner);
    return values.length === 0 ? [] : [`${name} ${values.join(' ')}`];
  });
  return parts.length === 0 ? [] : [parts.join(', ')];
}

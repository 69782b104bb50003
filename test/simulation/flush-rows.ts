import type { Row } from '../../src/platform/store/store.ts';
import { parseArray } from './parse-array.ts';
import { SqlError } from './sql-error.ts';

const P = [
  'key',
  'instance',
  'id',
  'status',
  'flow',
  'digest',
  'decision',
  'header',
  'control',
  'tickets',
  'created_at',
  'ended_at',
  'result',
];
const U = ['key', 'rev', 'status', 'control', 'ended_at', 'result'];
const R = ['key', 'flow', 'digest', 'decision', 'header', 'tickets', 'created_at'];
const T = [
  'plan',
  'n',
  'instance',
  'status',
  'spec',
  'deps',
  'agent',
  'fence',
  'attempt',
  'deadline',
  'started_at',
  'ended_at',
  'note',
];
const X = [
  'plan',
  'n',
  'was',
  'was_fence',
  'status',
  'agent',
  'fence',
  'attempt',
  'due',
  'deadline',
  'started_at',
  'ended_at',
  'note',
  'result',
];
const J = ['instance', 'seq', 'at', 'plans', 'body', 'hash', 'events', 'given'];
const GROUPS = [P, U, R, T, X, J];
const INTEGERS = new Set([
  'key',
  'rev',
  'flow',
  'tickets',
  'created_at',
  'ended_at',
  'plan',
  'n',
  'fence',
  'was_fence',
  'attempt',
  'due',
  'deadline',
  'started_at',
  'seq',
  'events',
  'given',
]);
const JSONS = new Set(['decision', 'header', 'control', 'spec', 'note', 'result']);

/** The arguments of colmeia_flush, an array literal for each column, as rows of its groups P, U, R, T, X and J. */
export function flushRows(args: readonly string[]): Row[][] {
  const width = GROUPS.reduce((sum, columns) => sum + columns.length, 0);
  if (args.length !== width) throw new SqlError('42883', `colmeia_flush takes ${width} arguments, not ${args.length}`);
  let from = 0;
  return GROUPS.map((columns) => rowsOf(columns, args.slice(from, (from += columns.length))));
}

function rowsOf(columns: readonly string[], literals: readonly string[]): Row[] {
  const values = literals.map(parseArray);
  if (values.some((column) => column.length !== values[0].length))
    throw new SqlError('22000', 'columns of different length');
  return values[0].map((_, i) => Object.fromEntries(columns.map((name, c) => [name, valueOf(name, values[c][i])])));
}

function valueOf(name: string, text: string | null): unknown {
  if (text === null) return null;
  if (INTEGERS.has(name)) {
    if (!/^-?\d{1,16}$/.test(text)) throw new SqlError('22P02', `invalid input for ${name}: ${text}`);
    return Number(text);
  }
  if (JSONS.has(name)) JSON.parse(text);
  if (text.includes('\0')) throw new SqlError('22021', 'invalid byte sequence');
  return text;
}

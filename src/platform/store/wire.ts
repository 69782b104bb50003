// The little of PostgreSQL's protocol 3 that the embedded store speaks, in text format only.
import { decodeValue } from './sql-values.ts';
import { type Row } from './store.ts';

/** An error of SQL itself, with the fields that the `pg` driver gives too. */
export class SqlError extends Error {
  readonly code: string; // SQLSTATE
  readonly severity: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly where: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
  readonly constraint: string | undefined;

  constructor(fields: Map<string, string>) {
    super(fields.get('M') ?? 'unknown error');
    this.name = 'SqlError';
    this.code = fields.get('C') ?? 'XX000';
    this.severity = fields.get('V') ?? fields.get('S') ?? 'ERROR';
    this.detail = fields.get('D');
    this.hint = fields.get('H');
    this.where = fields.get('W');
    this.table = fields.get('t');
    this.column = fields.get('c');
    this.constraint = fields.get('n');
  }
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.allocUnsafe(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const SYNC = message('S', Buffer.alloc(0));
const DESCRIBE_PORTAL = message('D', text('P'));
const EXECUTE = message('E', Buffer.alloc(5));

/** Several statements, no values: the simple query. */
export function simpleQuery(sql: string): Buffer {
  return message('Q', text(sql));
}

/** Prepares a named statement; the server finds the types of its parameters. */
export function prepare(name: string, sql: string): Buffer {
  return Buffer.concat([message('P', Buffer.concat([text(name), text(sql), Buffer.alloc(2)])), SYNC]);
}

/** Asks what a prepared statement will answer with, without running it. */
export function describePrepared(name: string): Buffer {
  return Buffer.concat([message('D', text(`S${name}`)), SYNC]);
}

/** Forgets a prepared statement, in a failed transaction too; one that is not there is no error. */
export function closePrepared(name: string): Buffer {
  return Buffer.concat([message('C', text(`S${name}`)), SYNC]);
}

/** One statement with values, prepared anew. */
export function parameterQuery(sql: string, values: readonly (string | null)[]): Buffer {
  const parse = message('P', Buffer.concat([text(''), text(sql), Buffer.alloc(2)]));
  return Buffer.concat([parse, bind('', values), DESCRIBE_PORTAL, EXECUTE, SYNC]);
}

/** A prepared statement with values. The answer carries no column types, so its rows are not read. */
export function executePrepared(name: string, values: readonly (string | null)[]): Buffer {
  return Buffer.concat([bind(name, values), EXECUTE, SYNC]);
}

function bind(statement: string, values: readonly (string | null)[]): Buffer {
  let size = 5 + 1 + statement.length + 1 + 2 + 2 + 2;
  const sizes = values.map((value) => (value === null ? -1 : Buffer.byteLength(value)));
  for (const bytes of sizes) size += 4 + Math.max(bytes, 0);
  const out = Buffer.allocUnsafe(size);
  let at = out.write('B', 0, 'latin1');
  at = out.writeInt32BE(size - 1, at);
  at = out.writeUInt8(0, at); // the unnamed portal
  at += out.write(`${statement}\0`, at, 'latin1');
  at = out.writeInt16BE(0, at); // every parameter as text
  at = out.writeUInt16BE(values.length, at);
  for (const [i, value] of values.entries()) {
    at = out.writeInt32BE(sizes[i]!, at);
    if (value !== null) at += out.write(value, at);
  }
  out.writeInt16BE(0, at); // every column as text
  return out;
}

export type Column = {
  name: string;
  /** Oid of its type. */ type: number;
  /** As in pg_attribute; -1 = none. */ modifier: number;
};

export type Answer = {
  rows: Row[];
  columns: Column[];
  /** Without column types: the first column of the first row, null when there is none. */
  first: string | null;
  /** The command tag of the last statement: `COMMIT`, `INSERT 0 1`. */
  tag: string;
};

/** Reads a whole answer; throws the first SqlError in it. */
export function readAnswer(bytes: Uint8Array): Answer {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const answer: Answer = { rows: [], columns: [], first: null, tag: '' };
  for (let at = 0; at + 5 <= data.length;) {
    const type = data[at];
    const end = at + 1 + data.readInt32BE(at + 1);
    if (type === 0x45 /* E: error */) throw readError(data, at + 5, end);
    if (type === 0x54 /* T: columns */) {
      answer.columns = readColumns(data, at + 5);
      answer.rows = []; // of several statements the last one's rows count
    } else if (type === 0x44 /* D: a row */) {
      const values = readRow(data, at + 5);
      if (answer.columns.length > 0) answer.rows.push(decodeRow(answer.columns, values));
      else answer.first ??= values[0] ?? null;
    } else if (type === 0x43 /* C: done */) {
      answer.tag = data.toString('utf8', at + 5, end - 1);
    }
    at = end;
  }
  return answer;
}

function decodeRow(columns: readonly Column[], values: (string | null)[]): Row {
  const row: Row = {};
  for (const [i, { name, type }] of columns.entries()) {
    const value = values[i] ?? null;
    row[name] = value === null ? null : decodeValue(type, value);
  }
  return row;
}

function readColumns(data: Buffer, start: number): Column[] {
  const columns: Column[] = [];
  let at = start + 2;
  for (let left = data.readInt16BE(start); left > 0; left--) {
    const end = data.indexOf(0, at);
    columns.push({
      name: data.toString('utf8', at, end),
      type: data.readUInt32BE(end + 7),
      modifier: data.readInt32BE(end + 13),
    });
    at = end + 19; // table 4, column 2, type 4, size 2, modifier 4, format 2
  }
  return columns;
}

function readRow(data: Buffer, start: number): (string | null)[] {
  const values: (string | null)[] = [];
  let at = start + 2;
  for (let left = data.readInt16BE(start); left > 0; left--) {
    const size = data.readInt32BE(at);
    at += 4;
    values.push(size === -1 ? null : data.toString('utf8', at, at + size));
    at += Math.max(size, 0);
  }
  return values;
}

function readError(data: Buffer, start: number, end: number): SqlError {
  const parts = data.toString('utf8', start, end).split('\0');
  return new SqlError(new Map(parts.filter(Boolean).map((part) => [part[0]!, part.slice(1)])));
}

/** Reads one value at the cursor. Throws AvroError when the bytes are not what the schema says. */
type Read = (from: Cursor) => unknown;

/** Bytes or a schema that are not Avro; the message is for the sender. */
export class AvroError extends Error {}

/** Deepest nesting of records that a (recursive) writer schema may lead to. */
const DEEPEST = 64;

type Schema = string | Schema[] | { readonly [key: string]: unknown };
type Names = Map<string, Read>;

/**
 * Compiles an Avro schema (as JSON) to a reader of plain Avro binary into plain values: records and maps as objects,
 * longs as numbers, unions unwrapped, bytes as Buffer.
 *
 * Colmeia reads with this and not with avsc because the bytes come from others: avsc believes the count in front of a
 * list before it looks for the items, so five bytes can hold it in a loop until memory ends. Here every count is
 * checked against the bytes that are left. Throws AvroError when the schema is not one.
 */
export function compileReader(schema: unknown): (bytes: Buffer, start: number) => unknown {
  const read = readerOf(schema as Schema, new Map(), '', 0);
  return (bytes, start) => {
    const from = new Cursor(bytes, start);
    const value = read(from);
    if (from.at !== bytes.length) throw new AvroError(`${bytes.length - from.at} bytes are left over`);
    return value;
  };
}

class Cursor {
  readonly bytes: Buffer;
  at: number;
  depth = 0;
  /** Items of lists and maps that may still come: each takes a byte at least. */
  itemsLeft: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
    this.itemsLeft = bytes.length - at;
  }

  /** Moves over `length` bytes and returns where they began. */
  take(length: number): number {
    const start = this.at;
    if (length < 0 || length > this.bytes.length - start) throw new AvroError(`the bytes end too early, at ${start}`);
    this.at = start + length;
    return start;
  }

  long(): number {
    const { bytes } = this;
    let at = this.take(1);
    let byte = bytes[at]!;
    const negative = byte & 1;
    let half = (byte & 0x7f) >> 1;
    // Half of the zigzag value always fits a double exactly where the value itself is safe.
    for (let scale = 64; byte & 0x80; scale *= 128) {
      if (scale > 2 ** 62) throw new AvroError(`a number is longer than 64 bits, at ${at}`);
      at = this.take(1);
      byte = bytes[at]!;
      half += (byte & 0x7f) * scale;
    }
    if (half >= Number.MAX_SAFE_INTEGER) throw new AvroError(`a number is too large to be exact, at ${at}`);
    return negative ? -half - 1 : half;
  }

  text(): string {
    const length = this.long();
    const start = this.take(length);
    return this.bytes.toString('utf8', start, start + length);
  }

  /** The number of items in the next block of a list or map; 0 = it has ended. */
  blockSize(): number {
    let count = this.long();
    if (count < 0) {
      count = -count;
      this.long();
    }
    this.itemsLeft -= count;
    if (this.itemsLeft < 0) throw new AvroError(`a list claims more items than there are bytes, at ${this.at}`);
    return count;
  }
}

const PRIMITIVES: { readonly [name: string]: Read } = {
  null: () => null,
  boolean: (from) => {
    const byte = from.bytes[from.take(1)]!;
    if (byte > 1) throw new AvroError(`a boolean is neither 0 nor 1, at ${from.at - 1}`);
    return byte === 1;
  },
  int: (from) => from.long(),
  long: (from) => from.long(),
  float: (from) => from.bytes.readFloatLE(from.take(4)),
  double: (from) => from.bytes.readDoubleLE(from.take(8)),
  string: (from) => from.text(),
  bytes: (from) => {
    const length = from.long();
    const start = from.take(length);
    return from.bytes.subarray(start, start + length);
  },
};

function readerOf(schema: Schema, names: Names, namespace: string, depth: number): Read {
  if (depth > DEEPEST) throw new AvroError('the schema is nested too deeply');
  if (typeof schema === 'string') return namedReader(schema, names, namespace);
  if (Array.isArray(schema)) return unionReader(schema.map((branch) => readerOf(branch, names, namespace, depth + 1)));
  if (typeof schema !== 'object' || schema === null) throw new AvroError('the schema has a part that is no type');
  switch (schema.type) {
    case 'array':
      return listReader(readerOf(schema.items as Schema, names, namespace, depth + 1));
    case 'map':
      return mapReader(readerOf(schema.values as Schema, names, namespace, depth + 1));
    case 'enum':
      return named(schema, names, namespace, enumReader(schema));
    case 'fixed':
      return named(schema, names, namespace, fixedReader(schema));
    case 'record':
    case 'error':
      return recordReader(schema, names, namespace, depth);
    default:
      return readerOf(schema.type as Schema, names, namespace, depth + 1);
  }
}

function namedReader(name: string, names: Names, namespace: string): Read {
  const read = Object.hasOwn(PRIMITIVES, name)
    ? PRIMITIVES[name]
    : (names.get(name) ?? names.get(qualified(name, namespace)));
  if (!read) throw new AvroError(`the schema has no type called ${JSON.stringify(name.slice(0, 60))}`);
  return read;
}

function qualified(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function named(schema: { readonly [key: string]: unknown }, names: Names, namespace: string, read: Read): Read {
  const space = typeof schema.namespace === 'string' ? schema.namespace : namespace;
  names.set(qualified(String(schema.name), space), read);
  return read;
}

function unionReader(branches: Read[]): Read {
  return (from) => {
    const branch = branches[from.long()];
    if (!branch) throw new AvroError(`a union has no such branch, at ${from.at - 1}`);
    return branch(from);
  };
}

function enumReader(schema: { readonly [key: string]: unknown }): Read {
  if (!Array.isArray(schema.symbols)) throw new AvroError('an enum of the schema has no symbols');
  const symbols = schema.symbols as unknown[];
  return (from) => {
    const index = from.long();
    if (index < 0 || index >= symbols.length) throw new AvroError(`an enum has no such symbol, at ${from.at - 1}`);
    return symbols[index];
  };
}

function fixedReader(schema: { readonly [key: string]: unknown }): Read {
  const size = schema.size;
  if (!Number.isSafeInteger(size)) throw new AvroError('a fixed of the schema has no size');
  return (from) => {
    const start = from.take(size as number);
    return from.bytes.subarray(start, start + (size as number));
  };
}

function listReader(item: Read): Read {
  return (from) => {
    const list: unknown[] = [];
    for (let count = from.blockSize(); count > 0; count = from.blockSize()) {
      for (; count > 0; count--) list.push(item(from));
    }
    return list;
  };
}

function mapReader(item: Read): Read {
  return (from) => {
    const map: Record<string, unknown> = {};
    for (let count = from.blockSize(); count > 0; count = from.blockSize()) {
      for (; count > 0; count--) {
        const key = from.text();
        if (key === '__proto__') throw new AvroError('a map has the key "__proto__"');
        map[key] = item(from);
      }
    }
    return map;
  };
}

function recordReader(schema: { readonly [key: string]: unknown }, names: Names, outer: string, depth: number): Read {
  if (!Array.isArray(schema.fields)) throw new AvroError('a record of the schema has no fields');
  const namespace = typeof schema.namespace === 'string' ? schema.namespace : outer;
  const fields: { name: string; read: Read }[] = [];
  const read: Read = (from) => {
    if (++from.depth > DEEPEST) throw new AvroError('the records are nested too deeply');
    const record: Record<string, unknown> = {};
    for (const field of fields) record[field.name] = field.read(from);
    from.depth -= 1;
    return record;
  };
  named(schema, names, outer, read);
  for (const field of schema.fields as { name?: unknown; type?: unknown }[]) {
    const name = field?.name;
    if (typeof name !== 'string' || name === '__proto__') throw new AvroError('a field of the schema has no name');
    fields.push({ name, read: readerOf(field.type as Schema, names, namespace, depth + 1) });
  }
  return read;
}

/** Writes one value, which fits the schema, at the cursor. */
type Write = (to: Output, value: unknown) => void;
type Schema = string | Schema[] | { readonly [key: string]: unknown };

/**
 * Compiles one of our own Avro schemas (as JSON) to a writer of plain Avro binary that leaves `headroom` bytes in front.
 * The value must have passed validation. Of the numbers in a union, the first branch that holds the value is taken.
 */
export function compileWriter(schema: unknown): (value: unknown, headroom: number) => Buffer {
  const write = writerOf(schema as Schema);
  return (value, headroom) => {
    const to = new Output(headroom);
    write(to, value);
    return to.bytes.subarray(0, to.at);
  };
}

class Output {
  bytes = Buffer.allocUnsafe(1_024);
  at: number;

  constructor(headroom: number) {
    this.at = headroom;
  }

  /** Makes room for `length` bytes and returns where they begin. */
  grow(length: number): number {
    const start = this.at;
    this.at = start + length;
    if (this.at > this.bytes.length) {
      const larger = Buffer.allocUnsafe(this.at * 2);
      this.bytes.copy(larger, 0, 0, start);
      this.bytes = larger;
    }
    return start;
  }

  byte(value: number): void {
    const start = this.grow(1);
    this.bytes[start] = value;
  }

  long(value: number): void {
    // Zigzag doubles the value, which may not fit a double; half of it always does.
    const half = value < 0 ? -value - 1 : value;
    let rest = Math.floor(half / 64);
    this.byte(((half % 64) << 1) | (value < 0 ? 1 : 0) | (rest > 0 ? 0x80 : 0));
    while (rest > 0) {
      const low = rest % 128;
      rest = Math.floor(rest / 128);
      this.byte(rest > 0 ? low | 0x80 : low);
    }
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.long(length);
    const start = this.grow(length);
    this.bytes.write(value, start, length, 'utf8');
  }
}

const PRIMITIVES: { readonly [name: string]: Write } = {
  null: () => {},
  boolean: (to, value) => to.byte(value === true ? 1 : 0),
  int: (to, value) => to.long(value as number),
  long: (to, value) => to.long(value as number),
  double: (to, value) => {
    const start = to.grow(8);
    to.bytes.writeDoubleLE(value as number, start);
  },
  string: (to, value) => to.text(value as string),
};

function writerOf(schema: Schema): Write {
  if (typeof schema === 'string') {
    const write = PRIMITIVES[schema];
    if (!write) throw new TypeError(`no writer for the Avro type ${schema}`);
    return write;
  }
  if (Array.isArray(schema)) return unionWriter(schema);
  switch (schema.type) {
    case 'array':
      return listWriter(writerOf(schema.items as Schema));
    case 'map':
      return mapWriter(writerOf(schema.values as Schema));
    case 'enum': {
      const indexes = new Map((schema.symbols as string[]).map((symbol, i) => [symbol, i]));
      return (to, value) => to.long(indexes.get(value as string)!);
    }
    case 'record':
      return recordWriter(schema.fields as { name: string; type: Schema }[]);
    default:
      return writerOf(schema.type as Schema);
  }
}

function recordWriter(schema: { name: string; type: Schema }[]): Write {
  const fields = schema.map(({ name, type }) => ({ name, write: writerOf(type) }));
  return (to, value) => {
    for (const field of fields) field.write(to, (value as Record<string, unknown>)[field.name]);
  };
}

function listWriter(item: Write): Write {
  return (to, value) => {
    const list = value as unknown[];
    if (list.length > 0) to.long(list.length);
    for (const one of list) item(to, one);
    to.byte(0);
  };
}

function mapWriter(item: Write): Write {
  return (to, value) => {
    const entries = Object.entries(value as Record<string, unknown>);
    if (entries.length > 0) to.long(entries.length);
    for (const [key, one] of entries) {
      to.text(key);
      item(to, one);
    }
    to.byte(0);
  };
}

function unionWriter(branches: Schema[]): Write {
  const writers = branches.map((branch) => ({ takes: takes(branch), write: writerOf(branch) }));
  return (to, value) => {
    const index = writers.findIndex((branch) => branch.takes(value));
    to.long(index);
    writers[index]!.write(to, value);
  };
}

function takes(branch: Schema): (value: unknown) => boolean {
  switch (branch) {
    case 'null':
      return (value) => value === null;
    case 'boolean':
    case 'string':
      return (value) => typeof value === branch;
    case 'int':
      return (value) => typeof value === 'number' && value === (value | 0);
    case 'long':
    case 'double':
      return (value) => typeof value === 'number';
    default:
      return (value) => value !== null;
  }
}

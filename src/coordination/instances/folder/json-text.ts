/** Where something stands in a text; line and column count from 1. */
export type JsonFault = { line: number; column: number; message: string };

/** A JSON value with the span of its text, so that one value can be replaced without touching the rest. */
export type JsonNode = { start: number; end: number } & (
  | { kind: 'object'; members: { key: string; node: JsonNode }[] }
  | { kind: 'array'; items: JsonNode[] }
  | { kind: 'scalar'; value: string | number | boolean | null }
);

const DEEPEST = 64;
/** Only one way to match each text: a missing quote must not cost more than one look at it. */
const STRING = /"[ !#-[\]-\uFFFF]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uFFFF]*)*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\r\n]*/y;

/**
 * Strict JSON. Not JSON.parse: its messages quote the text, which may hold secrets, and it says nothing of doubled names.
 * `root` is null when the text is no JSON; a doubled name is a fault of a text that could be read.
 */
export function parseJson(text: string): { root: JsonNode | null; faults: JsonFault[] } {
  const parser = new Parser(text);
  try {
    return { root: parser.document(), faults: parser.faults };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { root: null, faults: parser.faults };
  }
}

/** The plain value of a node. */
export function valueOf(node: JsonNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'array') return node.items.map(valueOf);
  return Object.fromEntries(node.members.map(({ key, node: member }) => [key, valueOf(member)]));
}

/** Where an offset stands, for people. */
function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}

class Stop extends Error {}

class Parser {
  readonly faults: JsonFault[] = [];
  readonly #text: string;
  #at: number;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#at = text.startsWith('\uFEFF') ? 1 : 0;
  }

  document(): JsonNode {
    const root = this.#value();
    this.#skip();
    if (this.#at < this.#text.length) this.#stop('nothing may follow the end of the value');
    return root;
  }

  #value(): JsonNode {
    this.#skip();
    const start = this.#at;
    const char = this.#text[start];
    if (char === '{' || char === '[') {
      if (++this.#depth > DEEPEST) this.#stop(`goes deeper than ${DEEPEST} levels`);
      const node = char === '{' ? this.#object(start) : this.#array(start);
      this.#depth -= 1;
      return node;
    }
    const value = char === '"' ? this.#string() : this.#literal();
    return { kind: 'scalar', value, start, end: this.#at };
  }

  #object(start: number): JsonNode {
    const members: { key: string; node: JsonNode }[] = [];
    const names = new Set<string>();
    this.#list('}', () => {
      const at = this.#at;
      if (this.#text[at] !== '"') this.#stop('a name in double quotes is expected here');
      const key = this.#string();
      if (key === '__proto__') this.#stop('must not have the name "__proto__"', at);
      if (names.has(key)) this.#fault('this name stands twice in the same object; the last one counts', at);
      names.add(key);
      this.#skip();
      if (this.#text[this.#at] !== ':') this.#stop('":" is expected here');
      this.#at += 1;
      members.push({ key, node: this.#value() });
    });
    return { kind: 'object', members, start, end: this.#at };
  }

  #array(start: number): JsonNode {
    const items: JsonNode[] = [];
    this.#list(']', () => items.push(this.#value()));
    return { kind: 'array', items, start, end: this.#at };
  }

  /** What stands between a bracket and its end, separated by commas. */
  #list(close: string, item: () => void): void {
    this.#at += 1;
    this.#skip();
    if (this.#text[this.#at] === close) {
      this.#at += 1;
      return;
    }
    for (;;) {
      item();
      this.#skip();
      const char = this.#text[this.#at];
      if (char !== ',' && char !== close) this.#stop(`"," or "${close}" is expected here`);
      const comma = this.#at;
      this.#at += 1;
      if (char === close) return;
      this.#skip();
      if (this.#text[this.#at] === close) this.#stop('no comma may stand before the end of a list', comma);
    }
  }

  #string(): string {
    STRING.lastIndex = this.#at;
    const found = STRING.exec(this.#text);
    if (found === null) this.#stop('a text that does not end, or has a line break or an unknown escape in it');
    this.#at = STRING.lastIndex;
    return JSON.parse(found[0]) as string;
  }

  #literal(): number | boolean | null {
    for (const [word, value] of [['true', true] as const, ['false', false] as const, ['null', null] as const]) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text);
    if (found === null) this.#stop(this.#whyNoValue());
    this.#at = NUMBER.lastIndex;
    return Number(found[0]);
  }

  #whyNoValue(): string {
    const char = this.#text[this.#at];
    if (char === undefined) return 'the text ends too early';
    if (char === '/' || char === '#') return 'JSON has no comments';
    if (char === "'") return 'a text stands in double quotes';
    return 'a value is expected here: a text in double quotes, a number, true, false, null, a list or an object';
  }

  #skip(): void {
    SPACE.lastIndex = this.#at;
    SPACE.exec(this.#text);
    this.#at = SPACE.lastIndex;
  }

  #fault(message: string, offset: number): void {
    this.faults.push({ ...lineAndColumn(this.#text, offset), message });
  }

  #stop(message: string, offset = this.#at): never {
    this.#fault(message, offset);
    throw new Stop();
  }
}

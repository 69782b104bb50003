/** One variable of a `.env` file, and where its value stands in the text. */
export type EnvEntry = { name: string; value: string; line: number; start: number; end: number };
export type EnvFault = { line: number; message: string };

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([^\s=#]+)[ \t]*=[ \t]*/;
const QUOTES = ['"', "'", '`'];

/**
 * Reads `NAME=value` lines: `export` before them, quotes of three kinds, values over several lines in quotes, and comments
 * are understood, nothing is ever replaced or executed. A later line of the same name counts.
 */
export function parseEnvFile(text: string): { entries: EnvEntry[]; faults: EnvFault[] } {
  const entries: EnvEntry[] = [];
  const faults: EnvFault[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  for (let line = 1; at < text.length; line++) {
    const end = lineEnd(text, at);
    const content = text.slice(at, end);
    if (content.trim() === '' || content.trimStart().startsWith('#')) {
      at = end + 1;
      continue;
    }
    const entry = readAssignment(text, at, end, line);
    if (typeof entry === 'string') faults.push({ line, message: entry });
    else entries.push(entry);
    const last = typeof entry === 'string' ? end : lineEnd(text, entry.end);
    line += text.slice(at, last).split('\n').length - 1;
    at = last + 1;
  }
  return { entries, faults };
}

/** The values by name. */
export function envValues(entries: readonly EnvEntry[]): Map<string, string> {
  return new Map(entries.map(({ name, value }) => [name, value]));
}

/** The text with other values for some variables, everywhere they stand; comments, order and all other lines stay. */
export function withEnvValues(text: string, values: ReadonlyMap<string, string>): string {
  let result = text;
  for (const { name, start, end } of parseEnvFile(text).entries.toReversed()) {
    const value = values.get(name);
    if (value === undefined) continue;
    const gap = text[end] === '#' ? ' ' : ''; // of a comment behind no value at all
    result = result.slice(0, start) + quoted(value) + gap + result.slice(end);
  }
  return result;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}

/** The entry, or what is wrong with the line. */
function readAssignment(text: string, at: number, end: number, line: number): EnvEntry | string {
  const found = ASSIGNMENT.exec(text.slice(at, end));
  if (found === null) return 'must be a line as in NAME=value, or a comment with # before it';
  const name = found[1]!;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return 'the name must be letters, digits and _, and not begin with a digit';
  const start = at + found[0].length;
  const quote = text[start];
  if (quote !== undefined && start < end && QUOTES.includes(quote))
    return readQuoted(text, { name, line, start }, quote);
  const rest = text.slice(start, end);
  const comment = /(?:^|[ \t])#/.exec(rest);
  const value = (comment === null ? rest : rest.slice(0, comment.index)).trimEnd();
  return { name, value, line, start, end: start + value.length };
}

function readQuoted(text: string, entry: Pick<EnvEntry, 'name' | 'line' | 'start'>, quote: string): EnvEntry | string {
  const close = text.indexOf(quote, entry.start + 1);
  if (close === -1) return `the value begins with ${quote} and does not end`;
  const after = text.slice(close + 1, lineEnd(text, close + 1)).trim();
  if (after !== '' && !after.startsWith('#')) return `nothing but a comment may follow the closing ${quote}`;
  const inside = text.slice(entry.start + 1, close).replaceAll('\r\n', '\n');
  const value = quote === '"' ? inside.replaceAll(String.raw`\n`, '\n') : inside;
  return { ...entry, value, end: close + 1 };
}

function quoted(value: string): string {
  if (/^[^\s#"'`]*$/.test(value)) return value;
  const quote = QUOTES.find((one) => !value.includes(one) && (one !== '"' || !value.includes(String.raw`\n`)));
  if (quote === undefined) throw new RangeError('the value has quotes of all three kinds, which no .env file can hold');
  return `${quote}${value}${quote}`;
}

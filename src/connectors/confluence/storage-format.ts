/** What to make of a page's body; everything else in it stays as it is, byte by byte. */
export type StorageChanges = {
  /** The new value of an attribute; null takes the attribute away. Values are without entities. */
  attribute(element: string, name: string, value: string): string | null;
  /** The new text of a macro's parameter. */
  parameter(macro: string, name: string, text: string): string;
};

type Place = { element: string; macro: string; parameter: string };

/**
 * Rewrites a body in Confluence's storage format, an XHTML with the prefixes `ac` and `ri`. Only attributes and parameters
 * of macros are offered for a change: what people wrote, code and comments are not.
 */
export function rewriteStorage(body: string, changes: StorageChanges): string {
  const open: Place[] = [];
  let written = '';
  for (const token of tokensOf(body)) {
    const place = open.at(-1);
    if (token.kind === 'open') {
      const tag = rewriteTag(token.text, changes);
      written += tag.text;
      if (!token.text.endsWith('/>')) open.push(placeOf(tag, place));
    } else if (token.kind === 'close') {
      open.pop();
      written += token.text;
    } else if (token.kind === 'text' && place?.element === 'ac:parameter') {
      const text = withoutEntities(token.text);
      const changed = changes.parameter(place.macro, place.parameter, text);
      written += changed === text ? token.text : withEntities(changed);
    } else written += token.text;
  }
  return written;
}

type Token = { kind: 'open' | 'close' | 'text' | 'raw'; text: string };

/** In turn: CDATA, comments, declarations, tags with their quoted attributes, and text between them. */
const TOKEN =
  /(?<raw><!\[CDATA\[[\s\S]*?\]\]>|<!--[\s\S]*?-->|<[!?][^>]*>)|(?<close><\/[^>]*>)|(?<open><[A-Za-z](?:[^>"']|"[^"]*"|'[^']*')*>)|(?<text>[^<]+|<)/g;

function* tokensOf(body: string): Iterable<Token> {
  for (const { 0: text, groups = {} } of body.matchAll(TOKEN)) {
    const kind = (['raw', 'close', 'open', 'text'] as const).find((one) => groups[one] !== undefined);
    yield { kind: kind ?? 'raw', text };
  }
}

type Tag = { element: string; text: string; attributes: ReadonlyMap<string, string> };

function rewriteTag(text: string, changes: StorageChanges): Tag {
  const element = /^<([^\s/>]+)/.exec(text)?.[1] ?? '';
  const attributes = new Map<string, string>();
  const written = text.replaceAll(
    /(\s+)([^\s=/>]+)=("[^"]*"|'[^']*')/g,
    (whole, space: string, name: string, quoted: string) => {
      const value = withoutEntities(quoted.slice(1, -1));
      attributes.set(name, value);
      const changed = changes.attribute(element, name, value);
      if (changed === null) return '';
      return changed === value ? whole : `${space}${name}="${withEntities(changed)}"`;
    },
  );
  return { element, text: written, attributes };
}

function placeOf({ element, attributes }: Tag, outer: Place | undefined): Place {
  const name = attributes.get('ac:name') ?? '';
  if (element === 'ac:structured-macro') return { element, macro: name, parameter: '' };
  if (element === 'ac:parameter') return { element, macro: outer?.macro ?? '', parameter: name };
  return { element, macro: outer?.macro ?? '', parameter: '' };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Entities other than XML's own stay: they are the same on both sides. */
function withoutEntities(text: string): string {
  return text.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name]!);
}

function withEntities(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return escaped.replaceAll('"', '&quot;');
}

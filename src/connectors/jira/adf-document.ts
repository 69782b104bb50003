/** A text of Jira, in the Atlassian Document Format. */
export type AdfDocument = { type: 'doc'; version: number; content: Record<string, unknown>[] };

type AdfNode = { type?: unknown; attrs?: Record<string, unknown>; marks?: AdfNode[]; content?: AdfNode[] };

const CARDS = new Set(['inlineCard', 'blockCard', 'embedCard']);

/**
 * The document with the addresses of its links and cards as `change` gives them; what people wrote as text stays, whatever
 * it looks like. Ids of nodes are counted anew, as Jira makes them up.
 */
function withLinks(document: AdfDocument, change: (address: string) => string): AdfDocument {
  let ids = 0;
  const walk = (node: AdfNode): AdfNode => {
    const attrs = node.attrs === undefined ? undefined : { ...node.attrs };
    if (attrs !== undefined && CARDS.has(String(node.type)) && typeof attrs.url === 'string')
      attrs.url = change(attrs.url);
    if (attrs !== undefined && node.type === 'link' && typeof attrs.href === 'string') attrs.href = change(attrs.href);
    if (attrs?.localId !== undefined) attrs.localId = String((ids += 1));
    return {
      ...node,
      ...(attrs === undefined ? {} : { attrs }),
      ...(node.marks === undefined ? {} : { marks: node.marks.map(walk) }),
      ...(node.content === undefined ? {} : { content: node.content.map(walk) }),
    };
  };
  return walk(document as AdfNode) as AdfDocument;
}

const REFERENCE = 'colmeia:issue/';
const BROWSE = '/browse/';

/** Links to issues of the project say `colmeia:issue/` and the reference of the issue, until they are written somewhere. */
export function withReferences(document: AdfDocument, url: string, refOf: (key: string) => string | null): AdfDocument {
  return withLinks(document, (address) => {
    const key = address.startsWith(url + BROWSE) ? address.slice(url.length + BROWSE.length) : '';
    const ref = refOf(key);
    return ref === null ? address : REFERENCE + ref;
  });
}

/** The other way round; null = one of the issues has no key yet. */
export function withAddresses(
  document: AdfDocument,
  url: string,
  keyOf: (ref: string) => string | null,
): AdfDocument | null {
  let isWhole = true;
  const written = withLinks(document, (address) => {
    if (!address.startsWith(REFERENCE)) return address;
    const key = keyOf(address.slice(REFERENCE.length));
    if (key === null) isWhole = false;
    return url + BROWSE + (key ?? '');
  });
  return isWhole ? written : null;
}

export function hasReferences(document: AdfDocument | null): boolean {
  return document !== null && JSON.stringify(document).includes(`"${REFERENCE}`);
}

/** True when it shows a file by an id of the media service, which no public call can give to a copy. */
export function showsMedia(document: AdfDocument | null): boolean {
  return document !== null && /"type":"media(Inline)?"/.test(JSON.stringify(document));
}

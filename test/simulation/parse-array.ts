/** The elements of a one-dimensional array literal as PostgreSQL reads it; null = NULL. */
export function parseArray(literal: string): (string | null)[] {
  if (!literal.startsWith('{') || !literal.endsWith('}'))
    throw new Error(`malformed array literal: ${literal.slice(0, 80)}`);
  const elements: (string | null)[] = [];
  const end = literal.length - 1;
  let at = 1;
  while (at < end) {
    if (literal[at] === '"') {
      let text = '';
      let from = ++at;
      for (; literal[at] !== '"'; at++) {
        if (at >= end) throw new Error('malformed array literal: an open quote');
        if (literal[at] !== '\\') continue;
        text += literal.slice(from, at);
        from = ++at;
      }
      elements.push(text + literal.slice(from, at++));
    } else {
      const comma = literal.indexOf(',', at);
      const stop = comma === -1 ? end : comma;
      const text = literal.slice(at, stop);
      if (text === '' || /[{}"\\\s]/.test(text))
        throw new Error(`malformed array literal at ${at}: ${text.slice(0, 40)}`);
      elements.push(text === 'NULL' ? null : text);
      at = stop;
    }
    if (at < end && literal[at++] !== ',') throw new Error(`malformed array literal: no comma at ${at}`);
  }
  return elements;
}

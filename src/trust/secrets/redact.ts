import type { Secret } from '../../platform/secret.ts';

const HIDDEN = '[secret]';
/** Shorter values are too common to be told from other text. */
const SHORTEST = 8;
const REMEMBERED = 1_000;
/** A value that was cut counts when half of it is there, or this much. */
const CUT_LENGTH = 64;
const LINES = 200;

/**
 * Takes the secrets that this process has used out of texts that leave it: as they are, as JSON, base64 and URLs write
 * them, and cut at the end. Remembers the last thousand; costs nothing while there is none. Values under 8 characters pass.
 */
export class Redactor {
  /** Value → the texts it is looked for as; in order of use. */
  readonly #forms = new Map<string, readonly string[]>();
  /** Made of the forms at the next text; null = they have changed. */
  #index: FormIndex | null = null;

  learn(secret: Secret): void {
    const value = secret.reveal();
    if (value.length < SHORTEST) return;
    const known = this.#forms.get(value);
    this.#forms.delete(value);
    this.#forms.set(value, known ?? formsOf(value));
    if (known !== undefined) return;
    if (this.#forms.size > REMEMBERED) this.#forms.delete(this.#forms.keys().next().value!);
    this.#index = null;
  }

  redact(text: string): string {
    if (this.#forms.size === 0 || text.length < SHORTEST) return text;
    const index = (this.#index ??= indexOf([...this.#forms.values()].flat()));
    let shown = '';
    let copied = 0;
    for (let at = 0; at <= text.length - SHORTEST; at++) {
      const length = index.pairs[pairAt(text, at)] === 0 ? 0 : hiddenAt(index, text, at);
      if (length === 0) continue;
      shown += text.slice(copied, at) + HIDDEN;
      copied = at + length;
      at = copied - 1;
    }
    return copied === 0 ? text : shown + text.slice(copied);
  }
}

/** The secrets of this process: its log and its answers are for all of it. */
export const knownSecrets = new Redactor();

/** Texts by their first characters; `pairs` has, for the first two, whether any text may begin so. */
type FormIndex = { byStart: Map<string, string[]>; pairs: Uint8Array };

const pairAt = (text: string, at: number): number => (text.charCodeAt(at) * 31 + text.charCodeAt(at + 1)) & 0xffff;

function indexOf(forms: readonly string[]): FormIndex {
  const index: FormIndex = { byStart: new Map(), pairs: new Uint8Array(0x1_0000) };
  for (const form of new Set(forms)) {
    const start = form.slice(0, SHORTEST);
    const others = index.byStart.get(start);
    if (others === undefined) index.byStart.set(start, [form]);
    else others.push(form);
    index.pairs[pairAt(form, 0)] = 1;
  }
  return index;
}

/** How many characters from here are of a secret; 0 = none. */
function hiddenAt({ byStart }: FormIndex, text: string, at: number): number {
  let longest = 0;
  for (const form of byStart.get(text.slice(at, at + SHORTEST)) ?? []) {
    let length = SHORTEST;
    while (length < form.length && text[at + length] === form[length]) length++;
    if (length >= Math.min(form.length / 2, CUT_LENGTH)) longest = Math.max(longest, length);
  }
  return longest;
}

function formsOf(value: string): string[] {
  const values = [value, ...partsOf(value)];
  const forms = values.flatMap((part) => {
    const json = JSON.stringify(part).slice(1, -1);
    const uri = encodeURIComponent(part.toWellFormed());
    const inBase64 = base64FormsOf(part);
    return [
      part,
      json,
      JSON.stringify(json).slice(1, -1), // a JSON text inside of another
      uri,
      uri.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
      new URLSearchParams({ v: part }).toString().slice(2),
      ...inBase64,
      ...inBase64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')),
    ];
  });
  return [...new Set(forms)].filter((form) => form.length >= SHORTEST);
}

/** What of a secret is a secret by itself: the lines of a long one, the password of a URL. */
function partsOf(value: string): string[] {
  const lines = value.split(/\r?\n/).slice(0, LINES);
  const parts = lines.length === 1 ? [] : lines.filter((line) => line.length >= 16 && !line.startsWith('-----'));
  const url = URL.parse(value);
  if (url !== null && url.password !== '') parts.push(url.password, decoded(url.password));
  return parts.filter((part) => part.length >= SHORTEST);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** As base64 writes it wherever it begins in what is encoded, as in `Basic base64(user:password)`; without the ends that others share. */
function base64FormsOf(part: string): string[] {
  const bytes = Buffer.from(part);
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const isWhole = (before + bytes.length) % 3 === 0;
    return text.slice(before === 0 ? 0 : before + 1, isWhole ? undefined : -1);
  });
}

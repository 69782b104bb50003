import { hash } from 'node:crypto';
import { ColmeiaError } from '../errors.ts';

/** Deeper values are refused, well before the stack ends. */
const DEEPEST = 500;

/**
 * The one JSON text of a value: keys sorted by UTF-16 code units, no spaces, numbers and strings as ECMAScript writes
 * them (RFC 8785, but for lone surrogates, which are written as escapes). What JSON cannot hold is treated as
 * `JSON.stringify` does: an undefined field is left out, an undefined item is null, `toJSON` is called.
 * Throws INVALID_REQUEST for NaN, infinities, bigints, functions, symbols, circles and more than 500 levels.
 */
export function canonicalJson(value: unknown): string {
  return textOf(value, 0);
}

/** The sha-256 of the canonical JSON of a value, in hex. */
export function digestOf(value: unknown): string {
  return hash('sha256', canonicalJson(value), 'hex');
}

function textOf(value: unknown, depth: number): string {
  if (depth > DEEPEST) throw refused(`it is nested more than ${DEEPEST} levels deep`);
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw refused(`it contains ${value}`);
      return JSON.stringify(value);
    case 'object':
      return value === null ? 'null' : objectText(value, depth);
    default:
      throw refused(`it contains a value of type ${typeof value}`);
  }
}

function objectText(value: object, depth: number): string {
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item) => textOf(item === undefined ? null : item, depth + 1)).join(',')}]`;
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return textOf(value.toJSON(), depth + 1);
  let text = '';
  for (const key of Object.keys(value).sort()) {
    const field = (value as Record<string, unknown>)[key];
    if (field !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${textOf(field, depth + 1)}`;
  }
  return `{${text}}`;
}

function refused(reason: string): ColmeiaError {
  return new ColmeiaError('INVALID_REQUEST', `this value has no canonical JSON: ${reason}`);
}

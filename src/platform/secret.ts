import { inspect } from 'node:util';

const HIDDEN = '[secret]';

/** A value that does not get into logs, JSON or error messages by accident. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

/** Replaces the password of every URL in a text: `postgresql://user:***@host/database`. */
export function withoutUrlPasswords(text: string): string {
  // The password ends at the last @ before the path, as an unescaped one may hold an @ itself.
  return text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s:@/"'\\]*):[^\s/"'\\]*@/gi, '$1:***@');
}

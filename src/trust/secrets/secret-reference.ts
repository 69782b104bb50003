/** Names of secrets, wherever they are kept or referred to. */
export const SECRET_NAME = /^[a-z][a-z0-9_]{0,62}$/;
export const SECRET_NAME_RULE = 'must be 1 to 63 lower-case letters, digits or _, beginning with a letter';

const PREFIX = 'secret:';

/** `secret:<name>`, as configuration refers to a secret. */
export const secretReference = (name: string): string => `${PREFIX}${name}`;

/** The name that a text refers to; null = it is no reference. Throws nothing: `secret:Wrong!` is a plain text. */
export function parseSecretReference(text: unknown): string | null {
  if (typeof text !== 'string' || !text.startsWith(PREFIX)) return null;
  const name = text.slice(PREFIX.length);
  return SECRET_NAME.test(name) ? name : null;
}

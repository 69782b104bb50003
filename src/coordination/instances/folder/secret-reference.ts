/** Where a secret may stand in a file, its name stands: `secret:<name>`. The value is in the encrypted store. */
export type SecretReference = `secret:${string}`;

const NAME = /^[a-z][a-z0-9_]{0,62}$/;
const PREFIX = 'secret:';

export const secretReference = (name: string): SecretReference => `${PREFIX}${name}`;

/** The name that a value refers to; null = it is no reference. */
export function secretNameIn(value: unknown): string | null {
  if (typeof value !== 'string' || !value.startsWith(PREFIX)) return null;
  const name = value.slice(PREFIX.length);
  return NAME.test(name) ? name : null;
}

/** The name under which a plain secret is stored: that of its variable or field, in lower case. */
export function secretNameFor(variable: string): string {
  const name = variable
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+/, '');
  return (name || 'secret').slice(0, 63);
}

const SECRET_NAME =
  /(^|[_-])(key|token|secret|password|passwd|pwd|credential|credentials|authorization|dsn)$|^database[_-]url$|apikey$/i;
const PUBLIC_NAME = /(^|[_-])(public|publishable|project|space|issue)[_-]?key$/i;
/** Forms that vendors give their secrets, a password in a URL or an option, a private key, a signed token. */
const SECRET_VALUES = [
  /(^|[^A-Za-z0-9])(sbp_|sb_secret_|ATATT|gh[pousr]_|github_pat_|glpat-|sk[-_]|rk_|xox[abprs]-|AKIA|AIza|npm_|colmeia_|hf_|shpat_)[\w-]{8}/,
  /(^|[^A-Za-z0-9])eyJ[\w-]{8,}\.[\w-]+\./,
  /-----BEGIN [A-Z ]*PRIVATE KEY/,
  /[a-z][a-z0-9+.-]*:\/\/[^\s/@]*:[^\s/@]+@/i,
  /^(bearer|basic) \S{8}/i,
  /^--?[\w-]*(key|token|secret|password)=\S/i,
];

/** True for a value that should be in the encrypted store, by its own form or by the name it has. References are none. */
export function isPlainSecret(name: string, value: string): boolean {
  if (value === '' || secretNameIn(value) !== null) return false;
  return (SECRET_NAME.test(name) && !PUBLIC_NAME.test(name)) || SECRET_VALUES.some((form) => form.test(value));
}

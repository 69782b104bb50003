import { ColmeiaError } from '../../platform/errors.ts';
import { Secret, withoutUrlPasswords } from '../../platform/secret.ts';
import { knownSecrets, Redactor } from '../../trust/secrets/redact.ts';
import { readJson } from './answer-json.ts';
import type { Answer, Failure, Sending } from './exchange.ts';
import { auditedPath } from './outside-call.ts';

/** For a call that brought no answer worth the name. */
export function failedCall(
  site: string,
  { method, url }: Sending,
  failure: Failure,
  attempts: number,
  retryAfterMs: number,
): ColmeiaError {
  const times = attempts === 1 ? '' : `, ${attempts} times`;
  const message = `${site}: ${method} ${auditedPath(url)}: ${failure.reason}${times}`;
  if (failure.what === 'forbidden') return new ColmeiaError('OUTSIDE_REFUSED', message);
  const code = failure.what === 'timeout' ? 'OUTSIDE_TIMEOUT' : 'OUTSIDE_UNAVAILABLE';
  return new ColmeiaError(code, message, { retryAfterMs });
}

/** For a call that the site refused, with its words. */
export function refusedCall(
  site: string,
  { method, url }: Sending,
  answer: Answer,
  secrets: Iterable<string>,
): ColmeiaError {
  const words = withoutSecrets(wordsOf(readJson(answer)?.value), secrets);
  const said = words === '' ? '' : `: ${words}`;
  return new ColmeiaError(
    'OUTSIDE_REFUSED',
    `${site}: ${method} ${auditedPath(url)}: answered ${answer.status}${said}`,
  );
}

/** Of a site's words in an error. */
const LONGEST = 500;

/**
 * What a site says about a call that it refused, in one line; '' = nothing that is meant for people.
 * Known are the shapes of Supabase (`message`), Jira (`errorMessages`, `errors`) and Confluence (`errors[].title`, `detail`).
 */
export function wordsOf(body: unknown): string {
  const words = [...new Set(collect(body, 0))].join('; ');
  // oxlint-disable-next-line no-control-regex -- a terminal would obey them
  return words.replaceAll(/[\u0000-\u001f\u007f\s]+/g, ' ').trim();
}

/** The text without any of the secrets, nor others that this process has used, no longer than an error should be. */
export function withoutSecrets(text: string, secrets: Iterable<string>): string {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.learn(new Secret(secret));
  const clean = withoutUrlPasswords(knownSecrets.redact(redactor.redact(text)));
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST)}…` : clean;
}

/** Everything in credentials that must not come back: header values, tokens, and user and password of Basic. */
export function secretsOf(credentials: Readonly<Record<string, string>>): string[] {
  return Object.values(credentials).flatMap((value) => {
    const token = value.replace(/^(Basic|Bearer|Token)\s+/i, '');
    if (!/^Basic\s/i.test(value)) return [value, token];
    const login = Buffer.from(token, 'base64').toString('utf8');
    return [value, token, login, login.slice(login.indexOf(':') + 1)];
  });
}

/** JSON with the value of each Secret in it, which is added to `secrets`. */
export function revealingJson(body: unknown, secrets: string[]): string {
  return JSON.stringify(body, function (this: Record<string, unknown>, name: string, value: unknown) {
    const raw = this[name]; // `value` is what toJSON of a Secret gave
    if (!(raw instanceof Secret)) return value;
    secrets.push(raw.reveal());
    return raw.reveal();
  });
}

const WORDS = ['message', 'msg', 'error_description', 'title', 'detail', 'error', 'errorMessages', 'errors', 'data'];

function collect(value: unknown, depth: number): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (typeof value !== 'object' || value === null || depth > 4) return [];
  if (Array.isArray(value)) return value.slice(0, 20).flatMap((item) => collect(item, depth + 1));
  const fields = Object.entries(value);
  const known = fields.filter(([name]) => WORDS.includes(name));
  if (known.length > 0) return known.flatMap(([, item]) => collect(item, depth + 1));
  // Jira: {"errors": {"projectKey": "is taken"}}
  return depth === 0
    ? []
    : fields.slice(0, 20).flatMap(([name, item]) => (typeof item === 'string' ? [`${name}: ${item}`] : []));
}

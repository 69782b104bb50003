import type { Secret } from '../../../platform/secret.ts';
import { SYSTEM_INSTANCE } from '../../../trust/identity/principal.ts';
import { Redactor } from '../../../trust/secrets/redact.ts';

type Secrets = {
  names(instance: string): Promise<string[]>;
  reveal(instance: string, name: string): Promise<Secret | null>;
};
/** Tells whether a text holds the value of a secret. */
export type SecretFinder = (text: string) => boolean;

/** Finds secrets of a company and of the fleet where they must not be. Values under 8 characters are not looked for. */
export async function findSecrets(secrets: Secrets, instance: string): Promise<SecretFinder> {
  const known: Secret[] = [];
  for (const owner of [instance, SYSTEM_INSTANCE]) {
    for (const name of await secrets.names(owner)) {
      const value = await secrets.reveal(owner, name);
      if (value !== null) known.push(value);
    }
  }
  return finderOf(known);
}

export function finderOf(secrets: readonly Secret[]): SecretFinder {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.learn(secret);
  const forms = secrets.flatMap((secret) => wholeForms(secret.reveal())).filter(({ length }) => length >= 8);
  // The redactor is fast, and hides halves as well: those of an address are no secret.
  return (text) => redactor.redact(text) !== text && forms.some((form) => text.includes(form));
}

/** As files and rows may have it; of an address its password by itself. */
function wholeForms(value: string): string[] {
  const password = URL.parse(value)?.password ?? '';
  return [value, password].flatMap((one) => {
    const json = JSON.stringify(one).slice(1, -1);
    const base64 = Buffer.from(one).toString('base64').replaceAll('=', '');
    const inUrl = encodeURIComponent(one.toWellFormed());
    return [one, json, JSON.stringify(json).slice(1, -1), inUrl, base64, Buffer.from(one).toString('base64url')];
  });
}

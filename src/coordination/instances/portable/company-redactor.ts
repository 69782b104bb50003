import type { Secret } from '../../../platform/secret.ts';
import { SYSTEM_INSTANCE } from '../../../trust/identity/principal.ts';
import { Redactor } from '../../../trust/secrets/redact.ts';

type Secrets = {
  names(instance: string): Promise<string[]>;
  reveal(instance: string, name: string): Promise<Secret | null>;
};

/** Knows every secret of a company and of the fleet, to find them where they must not be; values under 8 characters are not looked for. */
export async function redactorOf(secrets: Secrets, instance: string): Promise<Redactor> {
  const redactor = new Redactor();
  for (const owner of [instance, SYSTEM_INSTANCE]) {
    for (const name of await secrets.names(owner)) {
      const value = await secrets.reveal(owner, name);
      if (value !== null) redactor.learn(value);
    }
  }
  return redactor;
}

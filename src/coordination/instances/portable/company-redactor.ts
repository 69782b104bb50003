import type { Secret } from '../../../platform/secret.ts';
import { Redactor } from '../../../trust/secrets/redact.ts';

type Secrets = {
  names(instance: string): Promise<string[]>;
  reveal(instance: string, name: string): Promise<Secret | null>;
};

/** Knows every secret of a company, to find them where they must not be; values under 8 characters are not looked for. */
export async function redactorOf(secrets: Secrets, instance: string): Promise<Redactor> {
  const redactor = new Redactor();
  for (const name of await secrets.names(instance)) {
    const value = await secrets.reveal(instance, name);
    if (value !== null) redactor.learn(value);
  }
  return redactor;
}

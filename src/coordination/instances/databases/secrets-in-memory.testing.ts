import { type Secret } from '../../../platform/secret.ts';
import { type CompanySecrets } from './company-databases.ts';

/** `kept`: by `<company> <name>`. */
export function secretsInMemory(): CompanySecrets & { kept: Map<string, Secret> } {
  const kept = new Map<string, Secret>();
  return {
    kept,
    reveal: async (instance, name) => kept.get(`${instance} ${name}`) ?? null,
    put: async (instance, name, value) => void kept.set(`${instance} ${name}`, value),
  };
}

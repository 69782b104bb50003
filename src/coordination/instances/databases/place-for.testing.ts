import { type Secret } from '../../../platform/secret.ts';
import { type Strategy } from '../instance-views.ts';
import { type CompanyPlace } from './company-databases.ts';

/** The place of a company that no registry knows, with an id that can be told from its name. */
export const placeFor = (instance: string, strategy: Strategy, url: Secret | null = null): CompanyPlace => ({
  id: instance.replaceAll('-', '_'),
  instance,
  strategy,
  url,
});

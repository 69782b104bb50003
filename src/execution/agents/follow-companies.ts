import type { Store } from '../../platform/store/store.ts';
import type { Instance } from '../../trust/identity/instance-directory.ts';
import { agentKeyOf } from './agent.ts';
import type { AgentRegistry } from './agent-registry.ts';
import { listPeople } from './agent-store.ts';

/** A company came or went: its agents go with it, and its people are known though they say nothing. */
export async function followCompany(
  { store, registry }: { store: Store; registry: AgentRegistry },
  name: string,
  now: Instance | null,
  before: Instance | null,
): Promise<void> {
  if (now === null) {
    const own = agentKeyOf(name, '');
    for (const { key } of [...registry.all()]) if (key.startsWith(own)) registry.remove(key);
  } else if (before === null) {
    for (const { instance, spec, state } of await listPeople(store))
      if (instance === name) registry.put(instance, spec, state);
  }
}

import type { JiraApi } from './jira-api.ts';

const MOST_STEPS = 8;

/** Moves an issue to a status, over others where the workflow knows no direct way. False: there is no way to it. */
export async function transitionTo(api: JiraApi, key: string, status: string, signal?: AbortSignal): Promise<boolean> {
  const terms = { ...(signal && { signal }) };
  const passed = new Set<string>();
  for (let step = 0; step < MOST_STEPS; step++) {
    const { transitions = [] } = await api.lib.getTransitions(api.client(terms), { issueIdOrKey: key });
    const direct = transitions.find(({ to }) => to?.name === status);
    const next = direct ?? transitions.find(({ to }) => !passed.has(to?.name ?? ''));
    if (next === undefined) return false;
    await api.lib.doTransition(api.client(terms), { issueIdOrKey: key, transition: { id: next.id } });
    if (direct !== undefined) return true;
    passed.add(next.to?.name ?? '');
  }
  return false;
}

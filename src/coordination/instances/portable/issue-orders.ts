import type { ProjectAccount } from '../outside-accounts.ts';

/** Orders of issues by key, for pages that show them. */
export async function ordersOf(
  jira: ProjectAccount | string,
  key: string | undefined,
): Promise<(key: string) => number | null> {
  if (typeof jira === 'string' || key === undefined) return () => null;
  const orders = await jira.orders(key);
  return (issue) => orders.get(issue) ?? null;
}

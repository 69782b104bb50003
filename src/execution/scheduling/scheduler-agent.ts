/**
 * An agent as the scheduler sees it; the registry keeps it up to date. What is fixed while it is registered comes first:
 * a change of it is a new object under the same key.
 */
export type SchedulerAgent = {
  readonly key: string;
  /** The one company it serves; null = all. */
  readonly instance: string | null;
  readonly kind: string;
  readonly taskTypes: ReadonlySet<string>;
  readonly capabilities: ReadonlySet<string>;
  readonly labels: Readonly<Record<string, string>>;
  readonly region: string | null;
  /** What it says it can do at once. */
  readonly concurrency: number;
  /** Tickets it would take now; 0 = it does not ask, or has no room. */
  free: number;
  /** False: it gets nothing new (suspect, draining, cordoned). */
  open: boolean;
};

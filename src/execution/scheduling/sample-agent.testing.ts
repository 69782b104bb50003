import type { SchedulerAgent } from './scheduler-agent.ts';

type Sample = Partial<Omit<SchedulerAgent, 'taskTypes' | 'capabilities'>> & { types?: string[]; has?: string[] };

/** An agent for tests of the scheduler: what is not said is plain, and it asks for as much as it can do. */
export function schedulerAgent({ types = ['BUILD'], has = [], ...agent }: Sample): SchedulerAgent {
  const { concurrency = 1 } = agent;
  return {
    key: 'a',
    instance: null,
    kind: 'service',
    labels: {},
    region: null,
    concurrency,
    free: concurrency,
    open: true,
    ...agent,
    taskTypes: new Set(types),
    capabilities: new Set(has),
  };
}

import type { SchedulerAgent } from '../scheduler-agent.ts';

type Able = Pick<SchedulerAgent, 'key' | 'instance' | 'taskTypes'>;

/** How many of the registered agents do each type of task, so that it is known who has nobody to stand in. Each call is O(types of the agent). */
export class AbleAgents {
  readonly #agents = new Map<string, Able>();
  /** By type and company; company '' = shared by all. */
  readonly #counts = new Map<string, number>();

  set(agent: Able): void {
    this.delete(agent.key);
    this.#agents.set(agent.key, agent);
    this.#count(agent, 1);
  }

  delete(key: string): void {
    const known = this.#agents.get(key);
    if (known === undefined) return;
    this.#agents.delete(key);
    this.#count(known, -1);
  }

  /** True when the agent does the type and no other does for the same companies; region and capabilities are not looked at. */
  isAlone(key: string, type: string): boolean {
    const agent = this.#agents.get(key);
    if (agent === undefined || !agent.taskTypes.has(type)) return false;
    const { instance } = agent;
    return this.#of(type, null) + (instance === null ? 0 : this.#of(type, instance)) === 1;
  }

  #of(type: string, instance: string | null): number {
    return this.#counts.get(nameOf(type, instance)) ?? 0;
  }

  #count({ taskTypes, instance }: Able, by: 1 | -1): void {
    for (const type of taskTypes) {
      const count = this.#of(type, instance) + by;
      if (count === 0) this.#counts.delete(nameOf(type, instance));
      else this.#counts.set(nameOf(type, instance), count);
    }
  }
}

const nameOf = (type: string, instance: string | null): string => `${type}\n${instance ?? ''}`;

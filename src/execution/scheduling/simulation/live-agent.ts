import type { SchedulerAgent } from '../scheduler-agent.ts';
import type { LivePlan } from './live-plan.ts';
import type { SimulatedAgent } from './scenario.ts';

/** An attempt under way. Times in ms from the start. */
export type Run = {
  readonly live: LivePlan;
  readonly n: number;
  readonly agent: LiveAgent;
  readonly givenAt: number;
  /** When the agent really began; null = it waits inside the agent, or the agent is silent. */
  from: number | null;
  ended: boolean;
};

/** An agent while it is there: what the scheduler sees of it, and what it does. */
export class LiveAgent {
  readonly is: SimulatedAgent;
  readonly seen: SchedulerAgent;
  /** Really worked on at once. */
  readonly slots: number;
  readonly runs = new Set<Run>();
  /** Taken and not begun. */
  readonly inside: Run[] = [];
  working = 0;
  busyMs = 0;

  constructor(is: SimulatedAgent) {
    this.is = is;
    this.seen = { ...is.says, free: 0, open: true };
    this.slots = is.slots ?? is.says.concurrency;
  }

  hasSlot(): boolean {
    return this.working < this.slots;
  }

  take(run: Run): void {
    this.runs.add(run);
  }

  drop(run: Run): void {
    this.runs.delete(run);
    if (run.from !== null) this.working--;
    else {
      const at = this.inside.indexOf(run);
      if (at >= 0) this.inside.splice(at, 1);
    }
  }
}

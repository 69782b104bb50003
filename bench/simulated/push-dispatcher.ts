import type { ReadyTicket } from '../../src/execution/scheduling/ready-ticket.ts';
import { typeOf } from '../../src/execution/scheduling/outcome.ts';
import type { Assignment } from '../../src/execution/scheduling/scheduling-cycle.ts';
import type { SchedulerAgent } from '../../src/execution/scheduling/scheduler-agent.ts';
import type { Dispatcher } from '../../src/execution/scheduling/simulation/scenario.ts';

/** A baseline: every ticket goes at once into the queue of the next agent that can do it. Agents with one slot. */
export class PushDispatcher implements Dispatcher {
  readonly #agents: { agent: SchedulerAgent; queue: ReadyTicket[] }[] = [];
  #turn = 0;

  add(ticket: ReadyTicket): void {
    const type = typeOf(ticket.spec);
    for (;;) {
      const { agent, queue } = this.#agents[this.#turn++ % this.#agents.length]!;
      if (!agent.taskTypes.has(type)) continue;
      queue.push(ticket);
      return;
    }
  }

  removePlan(plan: number): void {
    for (const one of this.#agents) one.queue = one.queue.filter((ticket) => ticket.plan !== plan);
  }

  ended(): void {}

  setAgent(agent: SchedulerAgent): void {
    this.#agents.push({ agent, queue: [] });
  }

  removeAgent(): void {
    throw new Error('fleets of this baseline stay as they are');
  }

  schedule(): Assignment[] {
    return this.#agents.flatMap(({ agent, queue }) => {
      const ticket = agent.free > 0 ? queue.shift() : undefined;
      return ticket === undefined ? [] : [{ ticket, agent: agent.key }];
    });
  }
}

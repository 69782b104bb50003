import { typeOf } from '../../src/execution/scheduling/outcome.ts';
import type { ReadyTicket } from '../../src/execution/scheduling/ready-ticket.ts';
import type { Assignment } from '../../src/execution/scheduling/scheduling-cycle.ts';
import type { SchedulerAgent } from '../../src/execution/scheduling/scheduler-agent.ts';
import type { Dispatcher } from '../../src/execution/scheduling/simulation/scenario.ts';
import { Heap, type HeapItem } from '../../src/platform/heap.ts';

export type CompanyRule = 'fifo' | 'strict' | 'edf' | 'fair-fifo' | 'fair-edf';
type Entry = HeapItem & { ticket: ReadyTicket; order: number };
type Company = { queue: Heap<Entry>; weight: number; virtualMs: number; running: number };

/** Baselines for many companies whose tickets every agent can do: the order by the rule, the fastest free agent to the first. */
export class CompanyDispatcher implements Dispatcher {
  readonly #rule: CompanyRule;
  readonly #weightOf: (instance: string) => number;
  readonly #factor: (type: string, agent: string) => number;
  readonly #companies = new Map<string, Company>();
  readonly #running = new Map<string, { company: Company; from: number }>();
  #order = 0;

  constructor(
    rule: CompanyRule,
    weightOf: (instance: string) => number,
    factor: (type: string, agent: string) => number,
  ) {
    this.#rule = rule;
    this.#weightOf = weightOf;
    this.#factor = factor;
  }

  add(ticket: ReadyTicket): void {
    const company = this.#company(ticket.instance);
    // Idle time gives no credit: who comes back stands with the least of the others.
    if (company.queue.size === 0 && company.running === 0) {
      const busy = [...this.#companies.values()].filter((one) => one.queue.size > 0 || one.running > 0);
      if (busy.length > 0)
        company.virtualMs = Math.max(company.virtualMs, Math.min(...busy.map((one) => one.virtualMs)));
    }
    company.queue.push({ heapIndex: -1, ticket, order: this.#order++ });
  }

  #company(instance: string): Company {
    let company = this.#companies.get(instance);
    if (company === undefined) {
      const byDeadline = this.#rule.endsWith('edf');
      company = {
        queue: new Heap<Entry>((a, b) =>
          byDeadline && a.ticket.deadline !== b.ticket.deadline
            ? a.ticket.deadline < b.ticket.deadline
            : a.order < b.order,
        ),
        weight: this.#weightOf(instance),
        virtualMs: 0,
        running: 0,
      };
      this.#companies.set(instance, company);
    }
    return company;
  }

  removePlan(): void {
    throw new Error('nothing fails in the scenarios of this baseline');
  }

  ended(plan: number, n: number, _agent: string, at: number): void {
    const run = this.#running.get(`${plan} ${n}`);
    if (run === undefined) return;
    this.#running.delete(`${plan} ${n}`);
    run.company.running--;
    run.company.virtualMs += (at - run.from) / run.company.weight;
  }

  setAgent(): void {}
  removeAgent(): void {}

  schedule(free: readonly SchedulerAgent[], now: number): Assignment[] {
    const assignments: Assignment[] = [];
    const left = new Map(free.map((agent) => [agent, agent.free]));
    while (left.size > 0) {
      const company = this.#first(now);
      if (company === null) break;
      const { ticket } = company.queue.pop()!;
      let best: SchedulerAgent | null = null;
      let least = Infinity;
      for (const agent of left.keys()) {
        const factor = this.#factor(typeOf(ticket.spec), agent.key);
        if (factor < least) [best, least] = [agent, factor];
      }
      const slots = left.get(best!)! - 1;
      if (slots > 0) left.set(best!, slots);
      else left.delete(best!);
      company.running++;
      this.#running.set(`${ticket.plan} ${ticket.n}`, { company, from: now });
      assignments.push({ ticket, agent: best!.key });
    }
    return assignments;
  }

  #first(now: number): Company | null {
    let best: Company | null = null;
    const elapsed = new Map<Company, number>();
    if (this.#rule.startsWith('fair'))
      for (const { company, from } of this.#running.values())
        elapsed.set(company, (elapsed.get(company) ?? 0) + now - from);
    const standing = (one: Company): number[] => {
      const entry = one.queue.peek()!;
      const { deadline } = entry.ticket;
      const fair = one.virtualMs + (elapsed.get(one) ?? 0) / one.weight + (1e-3 * one.running) / one.weight;
      switch (this.#rule) {
        case 'fifo':
          return [entry.order];
        case 'strict':
          return [-one.weight, entry.order];
        case 'edf':
          return [deadline, entry.order];
        default:
          return [fair];
      }
    };
    let least: number[] = [];
    for (const company of this.#companies.values()) {
      if (company.queue.size === 0) continue;
      const own = standing(company);
      const at = own.findIndex((value, i) => value !== least[i]);
      if (best === null || (at >= 0 && own[at]! < least[at]!)) [best, least] = [company, own];
    }
    return best;
  }
}

import { Heap } from '../../platform/heap.ts';
import { standingScore, urgency, URGENCY_STEPS } from '../plans/priority-score.ts';
import type { TicketSpec } from '../plans/ticket.ts';

/** A ticket that waits for an agent. */
export type ReadyTicket = {
  plan: number;
  n: number;
  instance: string;
  spec: TicketSpec;
  createdAt: number;
  deadline: number;
};

type Entry = ReadyTicket & {
  heapIndex: number;
  home: Company;
  standing: number;
  score: number;
  order: number;
  step: Step | null;
};
/** When an entry next becomes more urgent. */
type Step = { heapIndex: number; at: number; next: number; entry: Entry };
type Company = { heapIndex: number; class: TicketClass; instance: string; entries: Heap<Entry> };

/** Tickets that the same agents can do: same type and same required capabilities. One queue each, never one capped scan. */
export class TicketClass {
  readonly key: string;
  readonly taskType: string;
  /** The caller's own name of the type when the record has none for it. */
  readonly customType: string | null;
  readonly capabilities: readonly string[];
  readonly companies = new Map<string, Company>();
  readonly order = new Heap<Company>((a, b) => before(a.entries.peek()!, b.entries.peek()!));
  size = 0;

  constructor(key: string, spec: TicketSpec) {
    this.key = key;
    this.taskType = spec.task_type;
    this.customType = spec.metadata.task_type ?? null;
    this.capabilities = spec.required_capabilities;
  }

  /** The ticket that goes first, of one company or (null) of all. */
  first(instance: string | null): ReadyTicket | undefined {
    return instance === null ? this.order.peek()?.entries.peek() : this.companies.get(instance)?.entries.peek();
  }
}

/** Critical first: the reference score, then the nearer deadline, then first come. */
export function before(a: ReadyTicket, b: ReadyTicket): boolean {
  const x = a as Entry;
  const y = b as Entry;
  if (x.score !== y.score) return x.score > y.score;
  return x.deadline !== y.deadline ? x.deadline < y.deadline : x.order < y.order;
}

/** Every ready ticket of the companies at hand, in order. No clock: scores move when `advance` says what time it is. */
export class ReadyQueue {
  readonly classes = new Map<string, TicketClass>();
  readonly #entries = new Map<number, Map<number, Entry>>();
  readonly #steps = new Heap<Step>((a, b) => a.at < b.at);
  #count = 0;
  size = 0;

  /** Idempotent. */
  add(ticket: ReadyTicket, now: number): void {
    let ofPlan = this.#entries.get(ticket.plan);
    if (ofPlan === undefined) this.#entries.set(ticket.plan, (ofPlan = new Map()));
    if (ofPlan.has(ticket.n)) return;
    const home = this.#home(ticket);
    const standing = standingScore(ticket.spec);
    const score = standing + 0.3 * urgency(ticket.createdAt, ticket.deadline, now);
    const entry: Entry = { ...ticket, heapIndex: -1, home, standing, score, order: this.#count++, step: null };
    ofPlan.set(ticket.n, entry);
    home.entries.push(entry);
    this.#place(home);
    home.class.size++;
    this.size++;
    this.#setStep(entry, 0, now);
  }

  /** Nothing happens when it is not there. */
  remove(plan: number, n: number): void {
    const ofPlan = this.#entries.get(plan);
    const entry = ofPlan?.get(n);
    if (entry === undefined) return;
    ofPlan!.delete(n);
    if (ofPlan!.size === 0) this.#entries.delete(plan);
    const { home } = entry;
    home.entries.remove(entry);
    this.#place(home);
    if (entry.step !== null) this.#steps.remove(entry.step);
    this.size--;
    if (--home.class.size === 0) this.classes.delete(home.class.key);
  }

  removePlan(plan: number): void {
    for (const n of [...(this.#entries.get(plan)?.keys() ?? [])]) this.remove(plan, n);
  }

  /** Tickets whose urgency has grown by now move forward. */
  advance(now: number): void {
    for (let step = this.#steps.peek(); step !== undefined && step.at <= now; step = this.#steps.peek()) {
      this.#steps.pop();
      const { entry } = step;
      entry.score = entry.standing + 0.3 * urgency(entry.createdAt, entry.deadline, now);
      entry.home.entries.moved(entry);
      this.#place(entry.home);
      this.#setStep(entry, step.next, now);
    }
  }

  clear(): void {
    for (const plan of [...this.#entries.keys()]) this.removePlan(plan);
  }

  #setStep(entry: Entry, from: number, now: number): void {
    entry.step = null;
    for (let next = from; next < URGENCY_STEPS.length; next++) {
      const at = entry.createdAt + URGENCY_STEPS[next] * (entry.deadline - entry.createdAt);
      if (at <= now) continue;
      entry.step = { heapIndex: -1, at, next: next + 1, entry };
      this.#steps.push(entry.step);
      return;
    }
  }

  #home({ instance, spec }: ReadyTicket): Company {
    const key = `${spec.task_type}\n${spec.metadata.task_type ?? ''}\n${spec.required_capabilities.join('\n')}`;
    let found = this.classes.get(key);
    if (found === undefined) this.classes.set(key, (found = new TicketClass(key, spec)));
    let company = found.companies.get(instance);
    if (company === undefined) {
      company = { heapIndex: -1, class: found, instance, entries: new Heap<Entry>(before) };
      found.companies.set(instance, company);
    }
    return company;
  }

  /** A company stands in its class by its first ticket; without one it leaves. */
  #place(company: Company): void {
    const { order, companies } = company.class;
    if (company.entries.size === 0) {
      order.remove(company);
      companies.delete(company.instance);
    } else if (company.heapIndex < 0) order.push(company);
    else order.moved(company);
  }
}

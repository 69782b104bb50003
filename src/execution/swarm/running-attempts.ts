import { Deadlines } from '../../platform/deadlines.ts';
import type { Run } from '../scheduling/dispatcher.ts';
import { TicketMap } from '../scheduling/ticket-map.ts';

/** The attempts that run, at most two of a ticket, and when each has taken so long that it is to be looked at. */
export class RunningAttempts {
  readonly #first = new TicketMap<Run>();
  /** Second attempts of tickets in `#first`. */
  readonly #second = new TicketMap<Run>();
  /** Agents of attempts that ended and whose result is learned with the commit. */
  readonly #awaited = new TicketMap<string[]>();
  readonly #looks = new Deadlines<Run>();

  get size(): number {
    return this.#first.size + this.#second.size;
  }

  get copies(): number {
    return this.#second.size;
  }

  isCopied({ plan, n }: Pick<Run, 'plan' | 'n'>): boolean {
    return this.#second.get(plan, n) !== undefined;
  }

  /** `again`: its end, whose result was awaited, is taken back; `known`: it runs already. */
  begin(run: Run): 'new' | 'again' | 'known' {
    const { plan, n, agent } = run;
    const first = this.#first.get(plan, n);
    if (first?.agent === agent || this.#second.get(plan, n)?.agent === agent) return 'known';
    (first === undefined ? this.#first : this.#second).set(plan, n, run);
    return this.learned(plan, n, agent) ? 'again' : 'new';
  }

  /** False = it does not run. `hasResult`: it is awaited until it is `learned`. */
  end(plan: number, n: number, agent: string, hasResult: boolean): boolean {
    const second = this.#second.get(plan, n);
    const isSecond = second?.agent === agent;
    const run = isSecond ? second : this.#first.get(plan, n);
    if (run?.agent !== agent) return false;
    if (second !== undefined) this.#second.delete(plan, n);
    if (second === undefined) this.#first.delete(plan, n);
    else if (!isSecond) this.#first.set(plan, n, second);
    this.#looks.delete(run);
    if (hasResult) this.#awaited.set(plan, n, [...(this.#awaited.get(plan, n) ?? []), agent]);
    return true;
  }

  /** Whether the result of the attempt was awaited; from now on it is not. */
  learned(plan: number, n: number, agent: string): boolean {
    const agents = this.#awaited.get(plan, n);
    const at = agents?.indexOf(agent) ?? -1;
    if (at < 0) return false;
    if (agents!.length === 1) this.#awaited.delete(plan, n);
    else agents!.splice(at, 1);
    return true;
  }

  lookAt(run: Run, at: number): void {
    this.#looks.set(run, at);
  }

  /** Epoch ms; Infinity = never. */
  get nextLook(): number {
    return this.#looks.next();
  }

  takeLooks(now: number): Run[] {
    return this.#looks.take(now);
  }
}

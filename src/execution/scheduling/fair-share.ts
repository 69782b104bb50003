import { Heap } from '../../platform/heap.ts';
import { forgetHead } from './class-head.ts';
import type { Account } from './scheduler-state.ts';

/** A debt of one ms of running time, in the unit of `used`. */
const UNITS_PER_MS = 1_000;
/**
 * Share of its expected time that a ticket is charged when it is given, the rest when it ends: on average half of what runs
 * is done. Charged in full, a company that has just come would get fewer agents than those that have long had theirs.
 */
const CHARGED_AT_START = 0.5;
/** What a ticket is charged at most, ms: a wild estimate must not lock a company out. */
const MOST_CHARGED_MS = 30 * 24 * 3_600_000;
/** Accounts that a snapshot has at most: those with the largest debts. */
const MOST_DEBTS = 10_000;

/**
 * Weighted virtual time of the companies: running time ÷ weight, charged when a ticket is given (half of what is expected)
 * and corrected when it ends (real). Who comes back from idle starts where the least of those that compete stands: no
 * credit is saved up, but a debt stays. Source: start-time fair queueing; bounded lag as in EEVDF.
 */
export class FairShare {
  readonly #accounts = new Map<string, Account>();
  /** Those that compete, the one that had least on top. */
  readonly #competing = new Heap<Account>((a, b) => a.used < b.used);
  readonly #weightOf: (instance: string) => number;
  readonly #fellBack: (account: Account, by: number) => void;
  /**
   * Virtual time: where the least of those that compete stood when something ended last, or who left last. It moves with
   * what is used only, so that companies which come together, as after a restart, keep their debts in whatever order they come.
   */
  #floor = 0;
  /** What it was before the last of those that competed left: it may come back as if it had not. */
  #floorBefore = 0;
  #turnsFloor = 0;

  /** `fellBack`: a company was given back some of what it had used. */
  constructor(weightOf: (instance: string) => number, fellBack: (account: Account, by: number) => void) {
    this.#weightOf = weightOf;
    this.#fellBack = fellBack;
  }

  account(instance: string): Account {
    let found = this.#accounts.get(instance);
    if (found === undefined) {
      this.#prune();
      found = {
        heapIndex: -1,
        instance,
        used: 0,
        turns: 0,
        pending: 0,
        waitingMs: 0,
        weight: this.#weightOf(instance),
        running: 0,
        competing: 0,
        lines: [],
        firstLine: null,
        mode: 'normal',
        skipped: -1,
        orderVersion: 0,
      };
      this.#accounts.set(instance, found);
    }
    return found;
  }

  /** A line of the company has come to compete; not `fresh` = it was only away within a cycle. */
  enters(account: Account, fresh: boolean): void {
    if (account.competing++ > 0) return;
    if (fresh) {
      account.used = Math.max(account.used, this.#virtualTime());
      if (account.turns < this.#turnsFloor) account.turns = this.#turnsFloor;
      account.weight = this.#weightOf(account.instance);
    } else if (this.#competing.size === 0) this.#floor = this.#floorBefore;
    this.#competing.push(account);
  }

  leaves(account: Account): void {
    if (--account.competing > 0) return;
    this.#competing.remove(account);
    if (this.#competing.size > 0) return;
    this.#floorBefore = this.#floor;
    this.#floor = Math.max(this.#floor, account.used);
  }

  /** A ticket begins that is expected to take so long. */
  begin(account: Account, ms: number, weight: number): void {
    const units = unitsOf(CHARGED_AT_START * ms, weight);
    account.pending += units;
    this.#use(account, units);
  }

  /** What began so ends: its expected time becomes the real one. 0 = as if it had never begun. */
  end(account: Account, expectedMs: number, realMs: number, weight: number): void {
    const units = unitsOf(CHARGED_AT_START * expectedMs, weight);
    account.pending -= units;
    this.#use(account, unitsOf(realOf(realMs), weight) - units);
    if (realMs > 0) this.#advance();
  }

  /** What an `end` that is taken back charged for the real time. */
  refund(account: Account, realMs: number, weight: number): void {
    this.#use(account, -unitsOf(realOf(realMs), weight));
  }

  /** Used elsewhere, where the company competes as one that comes does here. */
  charge(account: Account, ms: number, weight: number): void {
    if (account.heapIndex < 0) account.used = Math.max(account.used, this.#virtualTime());
    this.#use(account, unitsOf(realOf(ms), weight));
    if (ms > 0) this.#advance();
  }

  /** What is expected of all that runs, from its start to its end. */
  runningMs({ pending, weight }: Account): number {
    return (pending / (CHARGED_AT_START * UNITS_PER_MS)) * weight;
  }

  countTurn(account: Account, by: 1 | -1): void {
    if (by > 0) this.#turnsFloor = Math.max(this.#turnsFloor, account.turns);
    account.turns += by;
    if (by < 0) for (const line of account.lines) forgetHead(line.class);
  }

  #virtualTime(): number {
    return Math.min(this.#floor, this.#competing.peek()?.used ?? Infinity);
  }

  #use(account: Account, units: number): void {
    account.used += units;
    if (account.heapIndex >= 0) this.#competing.moved(account);
    if (units < 0) this.#fellBack(account, -units);
  }

  #advance(): void {
    const least = this.#competing.peek();
    if (least !== undefined) this.#floor = this.#floorBefore = Math.max(this.#floor, least.used);
    else this.#floorBefore = this.#floor;
  }

  /** The company is gone: its debt is forgiven. Nothing happens while something of it waits or runs. */
  forget(instance: string): void {
    const account = this.#accounts.get(instance);
    if (account !== undefined && account.competing === 0 && account.running === 0 && account.lines.length === 0)
      this.#accounts.delete(instance);
  }

  /** Weights anew, after a change of the policy. */
  weigh(): void {
    for (const account of this.#accounts.values()) account.weight = this.#weightOf(account.instance);
  }

  /** Those there is something to know of: they wait, run or have a debt. */
  accounts(): IterableIterator<Account> {
    return this.#accounts.values();
  }

  /** Adds to `into` those that compete and have used no more; false = there are more than `most`. */
  upTo(used: number, most: number, into: Account[]): boolean {
    return this.#competing.upTo((account) => account.used <= used, most, into);
  }

  /** The company that had least of those that compete. */
  first(): Account | undefined {
    return this.#competing.peek();
  }

  /** Weighted ms that a company is ahead of the one that had least among those that compete, else among all. */
  lagMs(account: Account): number {
    return (account.used - (this.#competing.peek()?.used ?? this.#floor)) / UNITS_PER_MS;
  }

  /** Weighted ms of each company over the virtual time (absent = none), without what runs, which `began` charges again; the 10,000 largest. */
  debts(): Record<string, number> {
    const from = this.#virtualTime();
    const owed = [...this.#accounts.values()].map(({ instance, used, pending }): [string, number] => [
      instance,
      (used - pending - from) / UNITS_PER_MS,
    ]);
    const debts = owed.filter(([, debt]) => debt > 0).sort((a, b) => b[1] - a[1]);
    return Object.fromEntries(debts.slice(0, MOST_DEBTS));
  }

  /** What is no number ≥ 0 is passed over. Companies that are not named keep what they have, as do those that run. */
  restore(debts: Readonly<Record<string, unknown>>): void {
    for (const [instance, debt] of Object.entries(debts)) {
      if (typeof debt !== 'number' || !(debt >= 0 && debt < 1e15)) continue;
      const account = this.account(instance);
      account.used = Math.max(account.used, Math.round(debt * UNITS_PER_MS) + account.pending);
      if (account.heapIndex >= 0) this.#competing.moved(account);
      for (const line of account.lines) forgetHead(line.class);
    }
  }

  /** Idle companies without a debt are forgotten, so that what is kept is bounded by what is in use. */
  #prune(): void {
    const size = this.#accounts.size;
    if (size < 1_024 || (size & (size - 1)) !== 0) return;
    const from = this.#competing.peek()?.used ?? this.#floor;
    for (const [instance, { competing, running, lines, used }] of this.#accounts)
      if (competing === 0 && running === 0 && lines.length === 0 && used <= from) this.#accounts.delete(instance);
  }
}

const unitsOf = (ms: number, weight: number): number => Math.round((ms * UNITS_PER_MS) / weight);

/** The lag of a policy in the unit of the accounts. */
export const lagUnits = (lagSeconds: number): number => lagSeconds * 1_000 * UNITS_PER_MS;

/** A duration that can be expected of a ticket, ms. */
export const chargeable = (ms: number): number => (ms >= 1 ? Math.min(ms, MOST_CHARGED_MS) : 1);

const realOf = (ms: number): number => Math.min(Math.max(0, ms), MOST_CHARGED_MS);

import { Heap } from '../../platform/heap.ts';
import { forgetHead, lineBefore } from './class-head.ts';
import { changesAt, entryBefore, keysOf, type EntryOrder } from './entry-order.ts';
import { typeOf } from './outcome.ts';
import type { ReadyTicket } from './ready-ticket.ts';
import type { Account, Entry, Line, Step, TicketClass, Wanted } from './scheduler-state.ts';

/** Classes that are kept although nothing waits in them: what fits them is known. */
const MOST_IDLE_CLASSES = 1_024;
/** How far back a ticket that comes late looks for its place by age. */
const MOST_STEPS_BACK = 64;

export type WaitingOptions = {
  account(instance: string): Account;
  /** Before the first ticket of a class comes in: its agents are brought up to date. */
  fill(of: TicketClass): void;
  enters(line: Line, fresh: boolean): void;
  leaves(line: Line): void;
  forget(of: TicketClass): void;
  orderOf(account: Account): EntryOrder;
  /** By what the first of its line stands against those of other companies. */
  standing(entry: Entry): readonly number[];
};

/** Every ticket that waits, in one queue for each class and company. */
export class Waiting {
  /** Those in which something waits. */
  readonly busy = new Set<TicketClass>();
  readonly #classes = new Map<string, TicketClass>();
  /** By plan; of a plan with one ticket that waits the entry itself, which is a fifth of the memory. */
  readonly #entries = new Map<number, Entry | Map<number, Entry>>();
  readonly #steps = new Heap<Step>((a, b) => a.at < b.at);
  readonly #options: WaitingOptions;
  #count = 0;
  size = 0;

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  classes(): IterableIterator<TicketClass> {
    return this.#classes.values();
  }

  find(plan: number, n: number): Entry | undefined {
    const ofPlan = this.#entries.get(plan);
    if (ofPlan instanceof Map) return ofPlan.get(n);
    return ofPlan?.ticket.n === n ? ofPlan : undefined;
  }

  /** Idempotent. */
  add(ticket: ReadyTicket, base: number, now: number): void {
    if (this.find(ticket.plan, ticket.n) !== undefined) return;
    const line = this.#line(ticket, now);
    const order = this.#options.orderOf(line.account);
    const entry: Entry = {
      heapIndex: -1,
      ticket,
      line,
      keys: keysOf(order, ticket, { now, base }),
      base,
      order: this.#count++,
      step: null,
      older: null,
      newer: null,
      holdUntil: 0,
      heldFor: null,
    };
    this.#enqueue(entry, true);
    this.#setStep(entry, now);
  }

  /** A ticket that was taken out comes back to where it stood. Nothing happens when it is there again. */
  putBack(entry: Entry, now: number): void {
    const { plan, n } = entry.ticket;
    if (this.find(plan, n) !== undefined) return;
    entry.line = this.#line(entry.ticket, now);
    entry.keys = keysOf(this.#options.orderOf(entry.line.account), entry.ticket, { now, base: entry.base });
    this.#enqueue(entry, false);
    this.#setStep(entry, now);
  }

  take(entry: Entry): void {
    const { ticket, line } = entry;
    const ofPlan = this.#entries.get(ticket.plan)!;
    if (!(ofPlan instanceof Map) || (ofPlan.delete(ticket.n) && ofPlan.size === 0)) this.#entries.delete(ticket.plan);
    if (entry.step !== null) this.#steps.remove(entry.step);
    entry.step = null;
    const of = line.class;
    const wasFirst = line.entries.peek() === entry;
    line.entries.remove(entry);
    unlink(entry);
    if (of.head === entry) of.headStale = true;
    of.size--;
    of.backlogMs = of.size === 0 ? 0 : Math.max(0, of.backlogMs - entry.base);
    line.account.waitingMs = Math.max(0, line.account.waitingMs - entry.base);
    this.size--;
    if (line.entries.size === 0) this.#drop(line);
    else if (wasFirst) this.#stand(line);
    if (of.size > 0) return;
    this.busy.delete(of);
    if (this.#classes.size - this.busy.size > MOST_IDLE_CLASSES) this.#forgetIdle();
  }

  remove(plan: number, n: number): void {
    const entry = this.find(plan, n);
    if (entry !== undefined) this.take(entry);
  }

  removePlan(plan: number): void {
    const ofPlan = this.#entries.get(plan);
    if (ofPlan instanceof Map) for (const entry of [...ofPlan.values()]) this.take(entry);
    else if (ofPlan !== undefined) this.take(ofPlan);
  }

  clear(): void {
    for (const plan of [...this.#entries.keys()]) this.removePlan(plan);
  }

  /** Entries whose keys have changed by now move; at most `most`, the rest with the next call. */
  advance(now: number, most: number): void {
    let left = most;
    for (let step = this.#steps.peek(); step !== undefined && step.at <= now && left-- > 0; step = this.#steps.peek()) {
      const { entry } = step;
      this.#steps.remove(step);
      entry.step = null;
      this.#rekey(entry, now);
      entry.line.entries.moved(entry);
      this.#stand(entry.line);
      entry.line.class.headStale = true;
    }
  }

  /** Puts the line in the order that its company has now. */
  settle(line: Line, now: number): void {
    if (line.orderVersion === line.account.orderVersion) return;
    line.orderVersion = line.account.orderVersion;
    const entries: Entry[] = [];
    for (let top = line.entries.pop(); top !== undefined; top = line.entries.pop()) entries.push(top);
    for (const entry of entries) {
      this.#rekey(entry, now);
      line.entries.push(entry);
    }
    this.#stand(line);
  }

  /** What is now expected of its duration. */
  rebase(entry: Entry, base: number): void {
    entry.line.class.backlogMs += base - entry.base;
    entry.line.account.waitingMs += base - entry.base;
    entry.base = base;
  }

  #rekey(entry: Entry, now: number): void {
    entry.keys = keysOf(this.#options.orderOf(entry.line.account), entry.ticket, { now, base: entry.base });
    this.#setStep(entry, now);
  }

  #setStep(entry: Entry, now: number): void {
    if (entry.step !== null) this.#steps.remove(entry.step);
    entry.step = null;
    const order = this.#options.orderOf(entry.line.account);
    const at = changesAt(order, entry.ticket, { now, base: entry.base });
    if (at < Infinity) this.#steps.push((entry.step = { heapIndex: -1, at, entry }));
  }

  #enqueue(entry: Entry, fresh: boolean): void {
    const { ticket, line, base } = entry;
    const ofPlan = this.#entries.get(ticket.plan);
    if (ofPlan === undefined) this.#entries.set(ticket.plan, entry);
    else if (ofPlan instanceof Map) ofPlan.set(ticket.n, entry);
    else
      this.#entries.set(
        ticket.plan,
        new Map([
          [ofPlan.ticket.n, ofPlan],
          [ticket.n, entry],
        ]),
      );
    const of = line.class;
    line.entries.push(entry);
    link(entry);
    of.size++;
    of.backlogMs += base;
    line.account.waitingMs += base;
    this.size++;
    if (line.entries.size === 1) {
      this.#options.enters(line, fresh);
      forgetHead(of);
    }
    if (line.entries.peek() !== entry) return;
    this.#stand(line);
    if (of.headStale) return; // what stood there may be gone
    if (of.head === null || line === of.head.line || lineBefore(line, of.head.line)) of.headStale = true;
  }

  /** The line has another first ticket. */
  #stand(line: Line): void {
    line.standing = this.#options.standing(line.entries.peek()!);
    line.class.firstKeys[line.at] = line.standing[0];
    line.class.secondKeys[line.at] = line.standing[1] ?? 0;
    const { account } = line;
    if (account.firstLine === line) account.firstLine = null;
    else if (account.firstLine !== null && lineBefore(line, account.firstLine)) account.firstLine = line;
  }

  #line({ instance, spec }: ReadyTicket, now: number): Line {
    const key = classKeyOf(spec);
    let of = this.#classes.get(key);
    if (of === undefined) this.#classes.set(key, (of = newClass(key, wantedOf(spec), typeOf(spec))));
    if (of.size === 0) {
      of.busySince = now;
      this.busy.add(of);
      this.#options.fill(of);
    }
    let line = of.byInstance.get(instance);
    if (line === undefined) {
      const account = this.#options.account(instance);
      line = {
        class: of,
        at: of.lines.length,
        standing: [],
        account,
        entries: new Heap<Entry>(entryBefore),
        oldest: null,
        newest: null,
        orderVersion: account.orderVersion,
      };
      of.byInstance.set(instance, line);
      of.lines.push(line);
      of.accounts.push(account);
      account.lines.push(line);
    }
    return line;
  }

  #drop(line: Line): void {
    this.#options.leaves(line);
    const { class: of, account, at } = line;
    of.byInstance.delete(account.instance);
    const last = of.lines.pop()!;
    of.accounts.pop();
    if (last !== line) {
      of.lines[at] = last;
      of.accounts[at] = last.account;
      of.firstKeys[at] = of.firstKeys[last.at];
      of.secondKeys[at] = of.secondKeys[last.at];
      of.oldestAt[at] = of.oldestAt[last.at];
      last.at = at;
    }
    of.firstKeys.length = of.lines.length;
    of.secondKeys.length = of.lines.length;
    of.oldestAt.length = of.lines.length;
    account.lines.splice(account.lines.indexOf(line), 1);
    if (account.firstLine === line) account.firstLine = null;
    if (of.leastAccount === account) of.leastAccount = null;
    if (of.head?.line === line) of.headStale = true;
  }

  #forgetIdle(): void {
    for (const of of this.#classes.values()) {
      if (of.size > 0) continue;
      this.#options.forget(of);
      this.#classes.delete(of.key);
    }
  }
}

/** By age: mostly it is the newest. */
function link(entry: Entry): void {
  const { line, ticket } = entry;
  let older = line.newest;
  for (let back = 0; older !== null && older.ticket.readyAt > ticket.readyAt && back < MOST_STEPS_BACK; back++)
    older = older.older;
  if (older !== null && older.ticket.readyAt > ticket.readyAt && line.oldest!.ticket.readyAt >= ticket.readyAt)
    older = null;
  const newer = older === null ? line.oldest : older.newer;
  entry.older = older;
  entry.newer = newer;
  if (older !== null) older.newer = entry;
  else {
    line.oldest = entry;
    line.class.oldestAt[line.at] = ticket.readyAt;
  }
  if (newer === null) line.newest = entry;
  else newer.older = entry;
}

function unlink(entry: Entry): void {
  const { line, older, newer } = entry;
  if (older !== null) older.newer = newer;
  else {
    line.oldest = newer;
    if (newer !== null) line.class.oldestAt[line.at] = newer.ticket.readyAt;
  }
  if (newer === null) line.newest = older;
  else newer.older = older;
  entry.older = null;
  entry.newer = null;
}

type Spec = ReadyTicket['spec'];

/** Names a class; the same for tickets that the same agents can do. */
export const classKeyOf = ({ task_type, metadata, security_level, required_capabilities }: Spec): string =>
  `${task_type}\n${metadata.task_type ?? ''}\n${security_level}\n${metadata.region ?? ''}\n${required_capabilities.join('\n')}`;

export const wantedOf = ({ task_type, metadata, security_level, required_capabilities }: Spec): Wanted => ({
  taskType: task_type,
  customType: metadata.task_type ?? null,
  capabilities: required_capabilities,
  securityLevel: security_level,
  region: metadata.region ?? null,
});

function newClass(key: string, wanted: Wanted, type: string): TicketClass {
  return {
    head: null,
    headAccount: null,
    headFirst: Infinity,
    headSecond: Infinity,
    headStale: true,
    leastAccount: null,
    leastUsed: Infinity,
    nextUsed: Infinity,
    accounts: [],
    firstKeys: [],
    secondKeys: [],
    oldestAt: [],
    size: 0,
    cycle: -1,
    free: { states: [], size: 0 },
    passed: 0,
    holds: 0,
    key,
    type,
    taskType: wanted.taskType,
    customType: wanted.customType,
    capabilities: wanted.capabilities,
    securityLevel: wanted.securityLevel,
    region: wanted.region,
    backlogMs: 0,
    lines: [],
    byInstance: new Map(),
    busySince: 0,
    roomAt: -Infinity,
    stale: true,
    shared: [],
    bound: new Map(),
    members: 0,
    slots: 0,
    fastest: [],
    fastestAt: -Infinity,
  };
}

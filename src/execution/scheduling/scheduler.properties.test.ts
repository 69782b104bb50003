import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PLAIN_ESTIMATES } from './estimates.ts';
import { policyOf, PRESETS, type Policy } from './policy.ts';
import type { ReadyTicket } from './ready-ticket.ts';
import { schedulerAgent } from './sample-agent.testing.ts';
import { readyTicket } from './sample-ticket.testing.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';
import { Scheduler } from './scheduler.ts';
import type { Assignment } from './scheduling-cycle.ts';

const TYPES = ['BUILD', 'TEST', 'DEPLOY'] as const;
const COMPANIES = ['gold', 'silver', 'bronze', 'liar'];
const WEIGHTS: Record<string, number> = { gold: 4, silver: 2, bronze: 1, liar: 1 };

const make = (policy: Policy, seed = 1): Scheduler =>
  new Scheduler({
    policy,
    estimates: { ...PLAIN_ESTIMATES, factor: (_type, agent) => (agent.endsWith('slow') ? 3 : 1) },
    random: seeded(seed),
    tierOf: (instance) => instance,
  });

function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}

const nameOf = ({ ticket, agent }: Assignment): string => `${ticket.plan}/${ticket.n}>${agent}`;

const ops = fc.array(
  fc.record({
    what: fc.constantFrom(
      'add',
      'add',
      'add',
      'schedule',
      'schedule',
      'end',
      'unassign',
      'remove',
      'join',
      'leave',
      'drop',
    ),
    a: fc.nat(1_000),
    b: fc.nat(1_000),
  }),
  { minLength: 1, maxLength: 120 },
);
const policies = fc.record({
  preset: fc.constantFrom(...PRESETS),
  lagSeconds: fc.constantFrom(0, 5, 3_000),
  hold: fc.boolean(),
  running: fc.constantFrom(null, 3),
  perCompany: fc.constantFrom(null, 2),
  label: fc.constantFrom(null, 1),
});

type Op = { what: string; a: number; b: number };

/** What the scheduler is told, and what must hold of what it says. */
class World {
  readonly scheduler: Scheduler;
  readonly policy: Policy;
  readonly waiting = new Map<string, ReadyTicket>();
  readonly running: Assignment[] = [];
  readonly agents = new Map<string, SchedulerAgent>();
  readonly said: string[] = [];
  now = 0;
  #count = 0;

  constructor(policy: Policy) {
    this.policy = policy;
    this.scheduler = make(policy);
  }

  do({ what, a, b }: Op): void {
    this.now += a;
    if (what === 'add') this.#add(a, b);
    else if (what === 'schedule') this.schedule(1 + (b % 20));
    else if (what === 'end' || what === 'unassign') this.#end(what, a);
    else if (what === 'remove') this.#remove(a);
    else if (what === 'drop') this.#drop(a % 10);
    else if (what === 'join') this.#join(a, b);
    else this.#leave(a);
    assert.equal(this.scheduler.size, this.waiting.size);
  }

  schedule(limit: number): Assignment[] {
    const asking = [...this.agents.values()].filter(({ free }) => free > 0);
    const given = this.scheduler.schedule(asking, this.now, limit);
    assert.ok(given.length <= limit);
    for (const { ticket, agent } of given) {
      const key = `${ticket.plan}/${ticket.n}`;
      assert.ok(this.waiting.delete(key), `${key} does not wait, or was given twice`);
      const taker = this.agents.get(agent)!;
      assert.ok(this.canDo(taker, ticket), `${agent} cannot do ${key}`);
      assert.ok(--taker.free >= 0, `${agent} has no room`);
      this.running.push({ ticket, agent });
      this.said.push(nameOf({ ticket, agent }));
    }
    this.#checkCaps();
    return given;
  }

  canDo({ instance, taskTypes, open }: SchedulerAgent, ticket: ReadyTicket): boolean {
    return open && taskTypes.has(ticket.spec.task_type) && (instance === null || instance === ticket.instance);
  }

  #checkCaps(): void {
    const { running, perCompany, perLabel } = this.policy.caps;
    assert.ok(running === null || this.running.length <= running);
    for (const company of COMPANIES) {
      const count = this.running.filter(({ ticket }) => ticket.instance === company).length;
      assert.ok(perCompany === null || count <= perCompany);
    }
    const labelled = this.running.filter(({ agent }) => agent.includes('openai')).length;
    assert.ok(labelled <= (perLabel['provider=openai'] ?? Infinity));
  }

  #add(a: number, b: number): void {
    const ticket = readyTicket({
      plan: this.#count % 10,
      n: this.#count++,
      type: TYPES[a % 3],
      instance: COMPANIES[b % 4],
      ms: 1 + (a % 97) * 100,
      deadline: this.now + (b % 4 === 3 ? 1 : b * 100),
      readyAt: this.now,
      rank: b,
    });
    this.waiting.set(`${ticket.plan}/${ticket.n}`, ticket);
    this.scheduler.add(ticket, this.now);
    this.scheduler.add(ticket, this.now);
  }

  #end(what: 'end' | 'unassign', a: number): void {
    if (this.running.length === 0) return;
    const [{ ticket, agent }] = this.running.splice(a % this.running.length, 1);
    if (this.agents.has(agent)) this.agents.get(agent)!.free++;
    if (what === 'end') {
      this.scheduler.ended(ticket.plan, ticket.n, agent, this.now);
      this.scheduler.ended(ticket.plan, ticket.n, agent, this.now);
      return;
    }
    this.scheduler.unassign(ticket.plan, ticket.n, agent);
    this.scheduler.unassign(ticket.plan, ticket.n, agent);
    this.waiting.set(`${ticket.plan}/${ticket.n}`, ticket);
  }

  #remove(a: number): void {
    const [key, ticket] = [...this.waiting][a % Math.max(1, this.waiting.size)] ?? [];
    if (key === undefined || ticket === undefined) return;
    this.waiting.delete(key);
    this.scheduler.remove(ticket.plan, ticket.n);
    this.scheduler.remove(ticket.plan, ticket.n);
  }

  #drop(plan: number): void {
    for (const [key, ticket] of this.waiting) if (ticket.plan === plan) this.waiting.delete(key);
    this.scheduler.removePlan(plan);
  }

  #join(a: number, b: number): void {
    const key = `${this.#count++}-${b % 3 === 0 ? 'openai' : ''}-${b % 2 === 0 ? 'slow' : ''}`;
    const agent = schedulerAgent({
      key,
      types: [TYPES[a % 3], TYPES[b % 3]],
      instance: b % 5 === 0 ? COMPANIES[a % 4] : null,
      concurrency: 1 + (a % 3),
      labels: b % 3 === 0 ? { provider: 'openai' } : {},
    });
    this.agents.set(key, agent);
    this.scheduler.setAgent(agent);
  }

  #leave(a: number): void {
    const key = [...this.agents.keys()][a % Math.max(1, this.agents.size)];
    if (key === undefined) return;
    this.agents.delete(key);
    this.scheduler.removeAgent(key);
  }
}

const policyFrom = ({
  preset,
  lagSeconds,
  hold,
  running,
  perCompany,
  label,
}: {
  preset: Policy['preset'];
  lagSeconds: number;
  hold: boolean;
  running: number | null;
  perCompany: number | null;
  label: number | null;
}): Policy => ({
  ...policyOf(preset),
  lagSeconds,
  hold,
  caps: { running, perCompany, perLabel: label === null ? {} : { 'provider=openai': label } },
});

describe('Scheduler, whatever comes', () => {
  it('gives nothing twice, to nobody who cannot, beyond no room and no cap', () => {
    fc.assert(
      fc.property(policies, ops, (given, list) => {
        const world = new World(policyFrom(given));
        for (const op of list) world.do(op);
      }),
      { numRuns: 300 },
    );
  });

  it('says the same again', () => {
    fc.assert(
      fc.property(policies, ops, (given, list) => {
        const [one, two] = [new World(policyFrom(given)), new World(policyFrom(given))];
        for (const op of list) {
          one.do(op);
          two.do(op);
        }
        assert.deepEqual(one.said, two.said);
        assert.deepEqual(one.scheduler.debts(), two.scheduler.debts());
      }),
      { numRuns: 50 },
    );
  });

  it('leaves no agent without work that it could do, unless it holds it or a cap is reached', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PRESETS), ops, (preset, list) => {
        const world = new World({ ...policyOf(preset), hold: false });
        for (const op of list) world.do(op);
        world.schedule(10_000);
        for (const agent of world.agents.values())
          for (const ticket of world.waiting.values())
            assert.ok(
              agent.free === 0 || !world.canDo(agent, ticket),
              `${agent.key} could do ${ticket.plan}/${ticket.n}`,
            );
      }),
      { numRuns: 200 },
    );
  });

  it('takes back what was given as if it had never been', () => {
    fc.assert(
      fc.property(ops, fc.nat(30), (list, limit) => {
        const world = new World({ ...policyOf('adaptive'), agingShare: 0 });
        for (const op of list) world.do(op);
        const before = world.scheduler.debts();
        const first = world.schedule(limit + 1);
        for (const { ticket, agent } of [...first].reverse()) {
          world.agents.get(agent)!.free++;
          world.scheduler.unassign(ticket.plan, ticket.n, agent);
          world.waiting.set(`${ticket.plan}/${ticket.n}`, ticket);
          world.running.pop();
        }
        assert.deepEqual(world.scheduler.debts(), before);
        assert.deepEqual(world.schedule(limit + 1).map(nameOf), first.map(nameOf));
      }),
      { numRuns: 200 },
    );
  });
});

type Served = { ms: Record<string, number>; most: number; mostBehind: number };

/** All companies always have work; each ticket takes what was expected, or `real` times that. */
function serve(lagSeconds: number, tickets: number, seed: number, real: () => number): Served {
  const scheduler = make({ ...policyOf('adaptive'), lagSeconds, hold: false }, seed);
  const random = seeded(seed + 1);
  const ms: Record<string, number> = Object.fromEntries(COMPANIES.map((company) => [company, 0]));
  let [now, count, most, mostBehind] = [0, 0, 0, 0];
  const add = (instance: string): void => {
    const duration = 1_000 + Math.floor(9_000 * random());
    const deadline = now + (instance === 'liar' ? 1 : 60_000 + 600_000 * random());
    scheduler.add(readyTicket({ plan: count++, instance, ms: duration, deadline, readyAt: now }), now);
  };
  for (const company of COMPANIES) for (let n = 0; n < 20; n++) add(company);
  const agent = schedulerAgent({});
  while (tickets-- > 0) {
    const [{ ticket }] = scheduler.schedule([agent], now, 1);
    const took = Math.round(ticket.spec.estimated_duration_ms! * real());
    now += took;
    scheduler.ended(ticket.plan, 0, agent.key, now);
    ms[ticket.instance] += took;
    most = Math.max(most, took, ticket.spec.estimated_duration_ms!);
    const used = COMPANIES.map((company) => ms[company] / WEIGHTS[company]);
    mostBehind = Math.max(mostBehind, Math.max(...used) - Math.min(...used));
    add(ticket.instance);
  }
  return { ms, most, mostBehind };
}

describe('Fairness between companies that all have work', () => {
  const lags = fc.constantFrom(0, 10, 60, 300);

  it('lets none fall further behind than the lag and one ticket', () => {
    fc.assert(
      fc.property(lags, fc.integer({ min: 1, max: 1e6 }), (lag, seed) => {
        const { mostBehind, most } = serve(lag, 400, seed, () => 1);
        assert.ok(mostBehind <= lag * 1_000 + most + 1, `${mostBehind} ms behind`);
      }),
      { numRuns: 30 },
    );
  });

  it('counts what tickets really take, not what was expected of them', () => {
    fc.assert(
      fc.property(lags, fc.integer({ min: 1, max: 1e6 }), (lag, seed) => {
        const random = seeded(seed);
        const { mostBehind, most } = serve(lag, 400, seed, () => 0.1 + 3 * random());
        assert.ok(mostBehind <= lag * 1_000 + most + 1, `${mostBehind} ms behind`);
      }),
      { numRuns: 30 },
    );
  });

  it('gives a company that lies about its deadlines its share, and no more than the lag on top', () => {
    fc.assert(
      fc.property(lags, fc.integer({ min: 1, max: 1e6 }), (lag, seed) => {
        const { ms, most } = serve(lag, 600, seed, () => 1);
        const total = Object.values(ms).reduce((sum, each) => sum + each, 0);
        assert.ok(ms.liar <= total / 8 + lag * 1_000 + most, `${ms.liar} of ${total}`);
        assert.ok(ms.liar >= total / 8 - lag * 1_000 - most, 'nor less');
      }),
      { numRuns: 30 },
    );
  });
});

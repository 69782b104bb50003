import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { defaultsOf } from '../scheduling/setting.ts';
import { AGENT_LIFE_SETTINGS, AgentLives, newLife, type LifeState } from './agent-life.ts';

const INTERVAL = 10_000;
const LEASE = 30_000;

type Agent = { life: LifeState; leases: Set<number>; polls: Set<number>; spec: { kind: string } };

/** Lives on a clock of the test's own, looked at when they want to be. */
function livesAt(start: number) {
  const lives = new AgentLives<Agent>(INTERVAL, LEASE, defaultsOf(AGENT_LIFE_SETTINGS));
  const log: string[] = [];
  const world = {
    now: start,
    lives,
    log,
    agent(more: Partial<Agent> = {}): Agent {
      const agent = {
        life: newLife(world.now),
        leases: new Set<number>(),
        polls: new Set<number>(),
        spec: { kind: 'service' },
        ...more,
      };
      lives.add(agent);
      return agent;
    },
    /** Goes on in time, with a look at each time that one is due. */
    pass(ms: number): void {
      const until = world.now + ms;
      while (lives.next() <= until) {
        world.now = Math.max(world.now, lives.next());
        const changes = lives.look(world.now);
        for (const what of ['suspected', 'gone', 'left', 'opened', 'returned', 'forgotten'] as const)
          for (const agent of changes[what]) {
            if (what === 'left') agent.leases.clear();
            log.push(`${what} ${world.now - start}`);
          }
      }
      world.now = until;
    },
    beat(agent: Agent): void {
      lives.seen(agent, world.now, true);
    },
    beatFor(agent: Agent, ms: number): void {
      for (let left = ms; left > 0; left -= INTERVAL / 2) {
        world.beat(agent);
        world.pass(INTERVAL / 2);
      }
    },
  };
  return world;
}

describe('the life of an agent', () => {
  it('is suspect after one and a half intervals of silence and gone after two, once it has kept the interval', () => {
    const world = livesAt(1_000_000);
    const agent = world.agent();
    world.beatFor(agent, 60_000);
    const last = agent.life.lastSeenAt - 1_000_000;
    world.pass(100_000);
    assert.deepEqual(world.log, [
      `suspected ${last + 1.5 * INTERVAL}`,
      `gone ${last + 2 * INTERVAL}`,
      `left ${last + 2 * INTERVAL}`,
    ]);
  });

  it('lets an agent without heartbeats be silent for a whole lease', () => {
    const world = livesAt(0);
    const agent = world.agent({ leases: new Set([1]) });
    world.pass(LEASE - 1);
    assert.equal(agent.life.life, 'suspect');
    world.pass(1);
    assert.equal(agent.life.life, 'gone');
  });

  it('holds an open poll for a sign of life until the agent has shown that it keeps the interval', () => {
    const world = livesAt(0);
    const [poller, beater] = [world.agent({ polls: new Set([1]) }), world.agent({ polls: new Set([1]) })];
    world.beatFor(beater, 40_000);
    world.pass(60_000);
    assert.deepEqual([poller.life.life, beater.life.life], ['alive', 'gone']);
  });

  it('never ends for a person', () => {
    const world = livesAt(0);
    const person = world.agent({ spec: { kind: 'person' } });
    world.pass(86_400_000);
    assert.deepEqual([person.life.life, world.log], ['alive', []]);
  });

  it('says nothing of an agent that leaves quietly: it kept no interval and had nothing to do', () => {
    const world = livesAt(0);
    const agent = world.agent();
    for (let n = 0; n < 20; n++) {
      world.pass(60_000);
      world.lives.seen(agent, world.now, false);
    }
    assert.deepEqual(
      world.log.filter((line) => /^(gone|returned)/.test(line)),
      [],
    );
    assert.equal(agent.life.heldUntil, 0, 'and it need not wait for work');
  });

  it('makes an agent that keeps going away wait longer each time, and says so ever more seldom', () => {
    const world = livesAt(0);
    const agent = world.agent();
    const holds: number[] = [];
    for (let n = 0; n < 40; n++) {
      world.beatFor(agent, 20_000);
      holds.push(agent.life.heldUntil);
      agent.leases.add(n);
      world.pass(40_000);
    }
    const hour = world.log.filter((line) => line.startsWith('gone')).length;
    assert.ok(hour >= 3 && hour <= 14, `${hour} of 40 absences were reported`);
    assert.ok(new Set(holds).size > 3, 'it had to wait');
    const said = world.log.filter((line) => /^(gone|returned)/.test(line)).map((line) => line.split(' ')[0]);
    said.forEach((what, n) => assert.equal(what, n % 2 === 0 ? 'gone' : 'returned'));
  });

  it('forgets absences when an agent was steady for long', () => {
    const world = livesAt(0);
    const agent = world.agent();
    for (let n = 0; n < 3; n++) {
      world.beatFor(agent, 20_000);
      world.pass(60_000);
    }
    assert.ok(agent.life.absences > 1);
    world.beatFor(agent, 3_600_000);
    world.pass(30_000);
    assert.equal(agent.life.absences, 1);
  });

  it('blames nobody for a time in which this process did not look: it slept, or its clock leapt', () => {
    const world = livesAt(0);
    const agents = Array.from({ length: 100 }, () => world.agent());
    for (let n = 0; n < 6; n++) {
      agents.forEach((agent) => world.beat(agent));
      world.pass(5_000);
    }
    const changes = world.lives.look(world.now + 3_600_000);
    assert.deepEqual([changes.suspected, changes.left], [[], []]);
  });

  it('looks at a thousand idle agents a few times in an interval each, and never at one that is gone', () => {
    const world = livesAt(0);
    Array.from({ length: 1_000 }, () => world.agent({ polls: new Set([1]) }));
    let looks = 0;
    const look = world.lives.look.bind(world.lives);
    world.lives.look = (now) => (looks++, look(now));
    world.pass(60_000);
    assert.ok(looks <= 4, `${looks} wakes for agents that came at once`);
  });

  it('holds that an agent is gone exactly when it was silent for its limit, whatever it does', () => {
    const act = fc.record({ ms: fc.integer({ min: 1, max: 25_000 }), beat: fc.boolean(), lease: fc.boolean() });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
        const world = livesAt(0);
        const agent = world.agent();
        for (const { ms, beat, lease } of acts) {
          if (lease) agent.leases.add(1);
          const before = agent.life.keepsInterval;
          world.pass(ms);
          const limit = before ? 2 * INTERVAL : LEASE;
          assert.equal(agent.life.life === 'gone', world.now - agent.life.lastSeenAt >= limit);
          if (agent.life.life === 'gone') assert.equal(agent.leases.size, 0);
          world.lives.seen(agent, world.now, beat);
          assert.equal(agent.life.life, 'alive');
        }
        const said = world.log.filter((line) => /^(gone|returned)/.test(line)).map((line) => line.split(' ')[0]);
        said.forEach((what, n) => assert.equal(what, n % 2 === 0 ? 'gone' : 'returned'));
      }),
    );
  });
});

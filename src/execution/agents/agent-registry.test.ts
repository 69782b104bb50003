import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../platform/clock.ts';
import type { SchedulerAgent } from '../scheduling/scheduler-agent.ts';
import type { AgentSpec } from './agent.ts';
import { AgentRegistry } from './agent-registry.ts';
import { parseAgentSpec } from './parse-agent-spec.ts';

const HEARTBEAT_MS = 60;
const LEASE_MS = 120;

const specOf = (agent_id: string, more: Partial<AgentSpec> = {}): AgentSpec =>
  parseAgentSpec({ agent_id, task_types: ['BUILD'], ...more });

function openRegistry() {
  const registry = new AgentRegistry(systemClock, LEASE_MS, HEARTBEAT_MS);
  const told: [string, SchedulerAgent | null][] = [];
  registry.onAgent = (agent, key) => told.push([key, agent]);
  let fence = 0;
  const lease = (agent: string, until?: number) =>
    registry.grant({ leaseId: `lease-${++fence}`, plan: 1, n: fence, fence, attempt: 1, agent, until });
  const none = new Map<string, number>();
  const asking = () => registry.candidates(none, null).map(({ key, free }) => `${key} ${free}`);
  return { registry, told, lease, asking };
}

describe('the registry', () => {
  it('tells what agents say of themselves when it is new, and when they are forgotten', () => {
    const { registry, told } = openRegistry();
    const first = registry.put(null, specOf('a', { labels: { burst: 'true' }, region: 'eu' })).scheduler;
    registry.put(null, specOf('a', { labels: { burst: 'true' }, region: 'eu' }));
    assert.deepEqual(told, [['$system/a', first]]);
    assert.deepEqual(
      [first.kind, first.region, first.labels, first.concurrency, first.open],
      ['service', 'eu', { burst: 'true' }, 1, true],
    );
    const second = registry.put(null, specOf('a', { concurrency: 5 })).scheduler;
    assert.notEqual(second, first, 'a change is a new object');
    registry.remove('$system/a');
    assert.deepEqual(told.slice(1), [
      ['$system/a', second],
      ['$system/a', null],
    ]);
    registry.close();
  });

  it('shows the scheduler who is open and how much each would take', async () => {
    const { registry, lease, asking } = openRegistry();
    const agent = registry.put('acme', specOf('a', { concurrency: 3 }));
    const { scheduler, key } = agent;
    assert.equal(scheduler.free, 0, 'it does not ask');
    const polls = [registry.poll(agent, 1, 5_000), registry.poll(agent, 1, 5_000)];
    assert.equal(scheduler.free, 2);
    lease(key);
    const held = lease(key);
    assert.equal(scheduler.free, 1);
    registry.end(held.leaseId);
    assert.equal(scheduler.free, 2);
    registry.setState(key, 'cordoned');
    assert.deepEqual([scheduler.open, scheduler.free, asking(), agent.polls.size], [false, 0, [], 2]);
    registry.setState(key, 'active');
    assert.deepEqual(asking(), ['acme/a 2']);
    registry.setState(key, 'draining');
    assert.deepEqual(await Promise.all(polls), [[], []]);
    registry.close();
  });

  it('offers people work without a poll, up to their concurrency, and lets their leases last', async () => {
    const { registry, lease, asking } = openRegistry();
    const { key } = registry.put('acme', specOf('ana', { kind: 'person', concurrency: 2 }));
    assert.deepEqual(asking(), ['acme/ana 2']);
    const until = Date.now() + 1_000_000;
    const held = lease(key, until);
    assert.deepEqual(registry.deliver(key, [held]), [], 'it waits in the inbox');
    await sleep(2 * LEASE_MS);
    assert.deepEqual([registry.takeExpired(Date.now()), held.expiresAt], [[], until]);
    assert.deepEqual(asking(), ['acme/ana 1']);
    registry.gaveBack(key);
    assert.deepEqual(asking(), [], 'who gave a ticket back is left alone for a while');
    let woken = 0;
    registry.onExpired = () => woken++;
    registry.remove(key);
    assert.deepEqual([registry.takeExpired(Date.now()), woken], [[held], 1]);
    registry.close();
  });

  it('ends the leases of an agent that is gone, at once and with a reason', async () => {
    const { registry, lease } = openRegistry();
    const agent = registry.put(null, specOf('a'));
    for (let n = 0; n < 3; n++) {
      registry.seen(agent, true);
      await sleep(HEARTBEAT_MS / 3);
    }
    const held = lease(agent.key);
    const gone = new Promise((resolve) => (registry.onExpired = () => resolve(registry.takeExpired(Date.now()))));
    assert.deepEqual(await gone, [held]);
    assert.match(registry.whyExpired(held), /^agent a is gone: nothing was heard of it for \d+ ms$/);
    assert.equal(agent.scheduler.open, false);
    registry.close();
  });

  it('gives agents a whole lease to be heard when it was away itself, but not those that were ended', () => {
    let now = 1_000_000;
    const registry = new AgentRegistry({ now: () => now }, LEASE_MS, HEARTBEAT_MS);
    const grant = (n: number) =>
      registry.grant({ leaseId: `lease-${n}`, plan: 1, n, fence: 1, attempt: 1, agent: '$system/a' });
    const [first, ended] = [grant(1), grant(2)];
    now += LEASE_MS + LEASE_MS / 2;
    assert.deepEqual(registry.takeExpired(now), [first, ended], 'a look that is a little late is one');
    registry.expireNow(ended);
    assert.deepEqual(registry.takeExpired(now), [ended]);
    const [slept, later] = [grant(3), ((now += 10), grant(4))];
    now += 3_600_000;
    assert.deepEqual(registry.takeExpired(now), []);
    assert.deepEqual([slept.expiresAt, later.expiresAt], [now + LEASE_MS, now + LEASE_MS]);
    assert.equal(registry.nextExpiry(), now + LEASE_MS);
    now += LEASE_MS;
    assert.deepEqual(registry.takeExpired(now), [slept, later]);
    registry.close();
  });

  it('hears of other replicas that an agent is alive, and tells them what it heard', async () => {
    const { registry } = openRegistry();
    const agent = registry.put(null, specOf('a'));
    assert.deepEqual(registry.takeHeard(), [], 'what people say of an agent is no sign of its life');
    registry.seen(agent);
    registry.seen(agent, true);
    registry.seen(agent);
    assert.deepEqual(
      registry.takeHeard().map(({ key, beat }) => [key, beat]),
      [['$system/a', true]],
    );
    assert.deepEqual(registry.takeHeard(), []);
    const agoMs = 5;
    for (let n = 0; n < 10; n++) {
      registry.heardElsewhere([
        { key: '$system/a', agoMs, beat: true },
        { key: '$system/unknown', agoMs, beat: true },
      ]);
      await sleep(HEARTBEAT_MS / 2);
      assert.equal(agent.life.life, 'alive');
    }
    assert.deepEqual(registry.takeHeard(), [], 'it does not pass on what it was told');
    for (const until = Date.now() + 10_000; agent.life.life !== 'gone' && Date.now() < until;)
      await sleep(HEARTBEAT_MS);
    registry.heardElsewhere([{ key: '$system/a', agoMs: 3_600_000, beat: true }]);
    assert.equal(agent.life.life, 'gone', 'what comes late is no sign of life');
    registry.put(null, agent.spec, 'cordoned');
    assert.equal(agent.life.life, 'gone', 'nor is what is done to it');
    registry.heardElsewhere([{ key: '$system/a', agoMs: 0, beat: true }]);
    assert.equal(agent.life.life, 'alive');
    registry.close();
  });
});

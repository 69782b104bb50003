import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AgentRegistry } from './agent-registry.ts';
import { parseAgentSpec } from './parse-agent-spec.ts';

const AGENTS = 1_000;

describe('leases of agents that are not known yet', () => {
  it('find their agents when a thousand come at once, each without a look at the others’', () => {
    const registry = new AgentRegistry({ now: () => 0 }, 60_000);
    let asked = 0;
    const leases = 10 * AGENTS;
    for (let n = 0; n < leases; n++) {
      const agent = `$system/agent-${n % AGENTS}`;
      const lease = registry.grant({ leaseId: `lease-${n}`, plan: n, n: 0, fence: 1, attempt: 1, agent });
      Object.defineProperty(lease, 'agent', { get: () => (asked++, agent) });
    }
    for (let n = 0; n < AGENTS; n++) {
      const spec = parseAgentSpec({ agent_id: `agent-${n}`, task_types: ['BUILD'], concurrency: 20 });
      assert.equal(registry.put(null, spec).leases.size, 10);
    }
    assert.ok(asked <= 3 * leases, `${asked} looks at ${leases} leases`);
    registry.close();
  });

  it('stay with their agent’s name while it is gone and comes back, and no name is kept for nothing', () => {
    const registry = new AgentRegistry({ now: () => 0 }, 60_000);
    const spec = parseAgentSpec({ agent_id: 'one', task_types: ['BUILD'] });
    const key = registry.put(null, spec).key;
    registry.grant({ leaseId: 'a', plan: 1, n: 0, fence: 1, attempt: 1, agent: key });
    registry.remove(key);
    registry.grant({ leaseId: 'b', plan: 2, n: 0, fence: 1, attempt: 1, agent: key });
    registry.end('a');
    const back = registry.put(null, spec);
    assert.deepEqual(
      [...back.leases].map(({ leaseId }) => leaseId),
      ['b'],
    );
    registry.end('b');
    assert.equal(back.leases.size, 0);
    registry.close();
  });
});

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseDecision } from '../../platform/contracts/parse-decision.ts';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import type { AgentTransport, Failure, LeaseGrant } from './agent-transport.ts';
import { type ConfiguredAgents, readAgentConfig, startConfiguredAgents } from './configured-agents.ts';

const EXAMPLE = fileURLToPath(new URL('../../../examples/release', import.meta.url));

/** Grants each ticket to an agent with its type and capabilities when its dependencies are done; repeats what may work later; undoes at the end. */
class SmallPlane implements AgentTransport {
  readonly done = new Map<string, Record<string, string>>();
  readonly failures: (Failure & { task: string })[] = [];
  readonly #open: ExecutionTicket[];
  readonly #running = new Map<string, { ticket: ExecutionTicket; attempt: number }>();
  readonly #attempts = new Map<string, number>();
  readonly #specs = new Map<string, { task_types: string[]; capabilities: string[] }>();

  constructor(file: string) {
    const { decision, plan, faults } = parseDecision(JSON.parse(readFileSync(join(EXAMPLE, file), 'utf8')));
    assert.deepEqual(faults, []);
    this.#open = plan!.tasks.map(
      (task) =>
        ({
          ...task,
          ticket_id: task.task_id,
          plan_id: plan!.plan_id,
          decision_id: decision!.decision_id,
          sla: { deadline: 0, timeout_ms: 60_000, max_retries: 2 },
        }) as unknown as ExecutionTicket,
    );
  }

  get idle(): boolean {
    return this.#open.length + this.#running.size === 0;
  }

  /** The rule of the flow for a compensable ticket. */
  undo(task: string, original: ExecutionTicket): void {
    const parameters = { ...original.parameters, compensates: task, action: original.metadata.compensation! };
    this.#open.push({
      ...original,
      ticket_id: `${task}~undo`,
      task_id: `${task}~undo`,
      task_type: 'COMPENSATE',
      dependencies: [],
      parameters,
      metadata: {},
    });
  }

  register: AgentTransport['register'] = async (spec) => {
    this.#specs.set(spec.agent_id, spec);
    return { agent_id: spec.agent_id, heartbeat_interval_ms: 1_000, lease_duration_ms: 1_000 };
  };
  heartbeatAgent = async (): Promise<void> => {};
  drain = async (): Promise<void> => {};
  heartbeatLease: AgentTransport['heartbeatLease'] = async () => ({ expires_at: 0, cancel: false });

  lease: AgentTransport['lease'] = async (agentId, { max, signal }) => {
    const { task_types, capabilities } = this.#specs.get(agentId)!;
    const fits = (ticket: ExecutionTicket): boolean =>
      ticket.dependencies.every((id) => this.done.has(id)) &&
      task_types.includes(ticket.task_type) &&
      ticket.required_capabilities.every((each) => capabilities.includes(each));
    const leases: LeaseGrant[] = [];
    while (leases.length === 0 && !signal.aborted) {
      for (const ticket of this.#open.filter(fits).slice(0, max)) {
        this.#open.splice(this.#open.indexOf(ticket), 1);
        const attempt = (this.#attempts.get(ticket.ticket_id) ?? 0) + 1;
        this.#attempts.set(ticket.ticket_id, attempt);
        const lease_id = `${ticket.ticket_id}.${attempt}`;
        this.#running.set(lease_id, { ticket, attempt });
        leases.push({ lease_id, fencing_token: attempt, attempt, expires_at: 0, ticket });
      }
      if (leases.length === 0) await sleep(10);
    }
    return { leases };
  };

  complete: AgentTransport['complete'] = async (leaseId, { output }) => {
    this.done.set(this.#running.get(leaseId)!.ticket.ticket_id, output);
    this.#running.delete(leaseId);
  };

  fail: AgentTransport['fail'] = async (leaseId, failure) => {
    const { ticket, attempt } = this.#running.get(leaseId)!;
    this.failures.push({ ...failure, task: ticket.task_id });
    if (failure.errorClass === 'transient' && attempt < 3) await sleep(300).then(() => this.#open.push(ticket));
    else for (const each of this.#deployed) this.undo(each.ticket_id, each);
    this.#running.delete(leaseId);
  };

  readonly #deployed: ExecutionTicket[] = [];
  remember(): void {
    this.#deployed.push(...this.#open.filter(({ metadata }) => metadata.compensation));
  }
}

let home: string;
let agents: ConfiguredAgents;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'colmeia-release-'));
});
afterEach(async () => {
  await agents.stop(0);
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
});

async function run(file: string): Promise<SmallPlane> {
  const plane = new SmallPlane(file);
  plane.remember();
  const config = await readAgentConfig(join(EXAMPLE, 'agents.json'));
  agents = await startConfiguredAgents({ config, transport: plane, home, log: () => {} });
  for (const end = Date.now() + 15_000; !plane.idle; await sleep(20))
    assert.ok(Date.now() < end, `stuck: ${JSON.stringify(plane.failures)}`);
  return plane;
}

describe('the example release', () => {
  test('builds, tests, packages, deploys, and answers; the step that gave way is repeated', async () => {
    const startedAt = Date.now();
    const { done, failures } = await run('decision.json');
    assert.ok(Date.now() - startedAt < 6_000);
    assert.deepEqual(
      failures.map(({ task, errorClass }) => [task, errorClass]),
      [['checksum', 'transient']],
    );
    assert.match(failures[0]!.errorMessage, /exit code 75: the checksum index is locked/);
    assert.deepEqual([...done.keys()].sort(), [
      'build-docs',
      'build-server',
      'checksum',
      'deploy',
      'fetch',
      'package',
      'smoke',
      'test',
      'validate',
    ]);
    assert.deepEqual(done.get('smoke'), { version: '1.4.0', cents: '900' });
    assert.equal(done.get('test')!.passed, '4');
    const current = join(home, 'deployed/default/price-service/current');
    assert.deepEqual(readdirSync(current).sort(), ['checksums.txt', 'docs', 'server']);
  });

  test('is undone when the smoke test fails for good', async () => {
    const { done, failures } = await run('decision-rollback.json');
    assert.equal(failures.at(-1)!.errorClass, 'poison');
    assert.match(failures.at(-1)!.errorMessage, /version 1\.4\.0 was deployed, but 2\.0\.0 was expected/);
    assert.ok(done.has('deploy~undo'));
    const app = join(home, 'deployed/default/price-service');
    assert.ok(!existsSync(join(app, 'current')));
    assert.deepEqual(readdirSync(join(app, 'releases')), []);
  });
});

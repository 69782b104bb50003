import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CognitivePlan, TaskNode } from '../../platform/contracts/generated/records.ts';
import { compensationOf, generateTickets, TICKET_POLICY } from './generate-tickets.ts';

const task = (task_id: string, more: Partial<TaskNode> = {}): TaskNode => ({
  task_id,
  task_type: 'BUILD',
  description: `do ${task_id}`,
  dependencies: [],
  estimated_duration_ms: null,
  required_capabilities: [],
  parameters: {},
  metadata: {},
  ...more,
});
const plan = (tasks: TaskNode[], more: Partial<CognitivePlan> = {}): CognitivePlan =>
  ({
    tasks,
    risk_band: 'medium',
    original_priority: 'normal',
    original_security_level: 'internal',
    destructive_tasks: [],
    valid_until: null,
    ...more,
  }) as CognitivePlan;
const make = (tasks: TaskNode[], more: Partial<CognitivePlan> = {}) =>
  generateTickets(plan(tasks, more), 1_000, TICKET_POLICY);

describe('the tickets of a plan', () => {
  it('are one per task, in the order of the tasks, with dependencies as numbers', () => {
    const { specs, rules } = make([
      task('c', { dependencies: ['a', 'b'] }),
      task('a'),
      task('b', { dependencies: ['a'] }),
    ]);
    assert.deepEqual(
      specs.map((spec) => spec.task_id),
      ['c', 'a', 'b'],
    );
    assert.deepEqual(
      rules.map((rule) => rule.deps),
      [[1, 2], [], [1]],
    );
  });

  it('time out after three times the estimate, a minute at the least, the default without an estimate', () => {
    const estimates = [null, 0, 20_000, 20_001, 1_000_000];
    const { specs, deadlines } = make(
      estimates.map((estimated_duration_ms, i) => task(`t${i}`, { estimated_duration_ms })),
    );
    const timeouts = [3_600_000, 60_000, 60_000, 60_003, 3_000_000];
    assert.deepEqual(
      specs.map((spec) => spec.timeout_ms),
      timeouts,
    );
    assert.deepEqual(
      deadlines,
      timeouts.map((timeout) => 1_000 + timeout),
    );
  });

  it('are due no later than the plan is valid', () => {
    assert.deepEqual(
      make([task('a'), task('b', { estimated_duration_ms: 1 })], { valid_until: 100_000 }).deadlines,
      [100_000, 61_000],
    );
  });

  for (const [risk_band, retries] of [
    ['critical', 5],
    ['high', 3],
    ['medium', 2],
    ['low', 1],
  ] as const) {
    it(`are tried again ${retries} times in the risk band "${risk_band}"`, () => {
      const { specs, rules } = make([task('a')], { risk_band });
      assert.deepEqual([specs[0].max_retries, rules[0].maxRetries], [retries, retries]);
    });

    it(`have the quality of service of the risk band "${risk_band}"`, () => {
      const careful = { delivery_mode: 'EXACTLY_ONCE', consistency: 'STRONG', durability: 'PERSISTENT' };
      const plain = { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' };
      assert.deepEqual(make([task('a')], { risk_band }).specs[0].qos, retries > 2 ? careful : plain);
    });
  }

  it('wait for a person when their task is destructive', () => {
    const { rules } = make([task('a'), task('b')], { destructive_tasks: ['b'] });
    assert.deepEqual(
      rules.map((rule) => rule.gated),
      [false, true],
    );
  });

  it('can be undone when their task says how', () => {
    const { specs, rules } = make([
      task('a', { metadata: { compensation: 'delete it' } }),
      task('b', { metadata: { compensation: '' } }),
    ]);
    assert.deepEqual(
      rules.map((rule) => rule.compensable),
      [true, false],
    );
    assert.equal(specs[0].compensation, 'delete it');
  });

  it('keep the caller’s own name of a type that the record does not know', () => {
    const { specs } = make([
      task('a', { task_type: 'deploy' }),
      task('b', { task_type: 'paint', metadata: { x: '1' } }),
    ]);
    assert.deepEqual(
      specs.map((spec) => spec.task_type),
      ['DEPLOY', 'EXECUTE'],
    );
    assert.deepEqual(
      specs.map((spec) => spec.metadata),
      [{}, { x: '1', task_type: 'paint' }],
    );
  });

  it('take priority and security level from the plan, or from its risk when they are not known', () => {
    assert.deepEqual(
      [make([task('a')], { original_priority: 'critical', original_security_level: 'restricted' }).specs[0]].map(
        ({ priority, security_level }) => [priority, security_level],
      ),
      [['CRITICAL', 'RESTRICTED']],
    );
    const [{ priority, security_level }] = make([task('a')], {
      original_priority: 'whatever',
      original_security_level: '?',
      risk_band: 'high',
    }).specs;
    assert.deepEqual([priority, security_level], ['HIGH', 'INTERNAL']);
  });
});

describe('the ticket that undoes another', () => {
  it('has its capabilities and parameters, and says what to do for which ticket', () => {
    const [spec] = make(
      [
        task('a', {
          parameters: { p: '1' },
          required_capabilities: ['x'],
          metadata: { compensation: 'drop', task_type: 'y' },
        }),
      ],
      { destructive_tasks: ['a'] },
    ).specs;
    const undo = compensationOf(spec, 7, 'k-7');
    assert.equal(undo.task_type, 'COMPENSATE');
    assert.equal(undo.undoes, 7);
    assert.deepEqual(undo.parameters, { p: '1', compensates: 'k-7', action: 'drop' });
    assert.deepEqual(undo.required_capabilities, ['x']);
    assert.deepEqual(
      [undo.gated, undo.compensation, undo.max_retries, undo.timeout_ms],
      [false, null, spec.max_retries, spec.timeout_ms],
    );
  });
});

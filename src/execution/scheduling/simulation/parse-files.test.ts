import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chainOf, sampleDecision, samplePlan } from '../../../../test/flow/sample-decision.ts';
import type { Fault } from '../../../platform/errors.ts';
import { policyOf } from '../policy.ts';
import { comparePolicies } from './compare-policies.ts';
import { parseFleet } from './parse-fleet.ts';
import { parsePlans } from './parse-plans.ts';
import { parseTrace } from './parse-trace.ts';

const paths = (faults: readonly Fault[]): string[] => faults.map(({ path }) => path);

describe('files for a simulation', () => {
  test('a fleet counts out its agents, with their speeds', () => {
    const faults: Fault[] = [];
    const fleet = parseFleet(
      { agents: [{ agent_id: 'a', count: 2, speed: 2, speeds: { slow: 0.5 } }, { agent_id: 'b' }] },
      faults,
    );
    assert.deepEqual(faults, []);
    assert.deepEqual(
      fleet.map(({ says }) => says.key),
      ['a-1', 'a-2', 'b'],
    );
    assert.equal(fleet[0].factor('any', 0), 0.5);
    assert.equal(fleet[0].factor('slow', 0), 2);
  });

  test('a fleet has every fault named at once', () => {
    const faults: Fault[] = [];
    const wrong = { agent_id: 'a', sped: 1, count: 0, fails: 2, from: 5, until: 4, task_types: [] };
    parseFleet({ agents: [wrong, 7, { agent_id: 'b' }, { agent_id: 'b' }] }, faults);
    const at = ['sped', 'count', 'fails', 'until', 'task_types'].map((field) => `agents[0].${field}`);
    assert.deepEqual(paths(faults).sort(), [...at, 'agents[1]', 'agents[3].agent_id'].sort());
  });

  test('plans come as plans, decisions or with their arrival around them', () => {
    const faults: Fault[] = [];
    const plan = samplePlan('p', chainOf('a', 'b'));
    const around = { arrive_ms: 500, instance: 'x', tier: 'gold', deadline_ms: 9_000, plan };
    const [bare, decision, timed] = parsePlans([plan, sampleDecision('d', chainOf('a')), around], '', faults);
    assert.deepEqual(faults, []);
    assert.equal(bare.deadlineAt, 120_000, 'two timeouts of a minute, one after the other');
    assert.equal(decision.name, 'd');
    assert.deepEqual([timed.arrivesAt, timed.deadlineAt, timed.instance, timed.tier], [500, 9_500, 'x', 'gold']);
    assert.deepEqual(timed.tasks[1].deps, [0]);
  });

  test('plans have every fault named with its place', () => {
    const faults: Fault[] = [];
    const cyclic = samplePlan('p', [
      { id: 'a', after: ['b'] },
      { id: 'b', after: ['a'] },
    ]);
    const timed = samplePlan('q', [{ id: 'a' }]);
    timed.tasks[0].metadata = { duration_ms: 'long' } as never;
    parsePlans([cyclic, { arrive_ms: -1, plan: timed }, 3], 'plans', faults);
    assert.deepEqual(paths(faults), [
      'plans[0].tasks',
      'plans[1].arrive_ms',
      'plans[1].tasks[0].metadata.duration_ms',
      'plans[2]',
    ]);
  });

  test('a trace of calls to a language model becomes plans of one task', () => {
    const faults: Fault[] = [];
    const text =
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n';
    const plans = parseTrace(text, faults);
    assert.deepEqual(faults, []);
    assert.deepEqual(
      plans.map(({ arrivesAt }) => arrivesAt),
      [0, 4_315],
    );
    assert.equal(plans[0].tasks[0].durationMs, 374 * 0.2 + 44 * 20);
  });

  test('a trace has wrong cells named by line and column', () => {
    const faults: Fault[] = [];
    parseTrace('arrive_ms,duration_ms\n1,2\nx,-5\n', faults);
    assert.deepEqual(paths(faults), ['line 3, arrive_ms', 'line 3, duration_ms']);
    parseTrace('when,what\n1,2\n', ((faults.length = 0), faults));
    assert.deepEqual(paths(faults), ['line 1', 'line 1']);
  });

  test('policies are compared on the same course of events, twice the same', () => {
    const faults: Fault[] = [];
    const fleet = parseFleet({ agents: [{ agent_id: 'a', count: 2 }] }, faults);
    const templates = parsePlans([samplePlan('p', chainOf('a', 'b')), samplePlan('q', chainOf('a', 'b'))], '', faults);
    const policies = (['adaptive', 'round-robin'] as const).map((name) => ({ name, policy: policyOf(name) }));
    const comparison = { fleet, templates, policies, seed: 5, seeds: 2, noise: 0.3, ratePerMinute: 60 };
    const reports = comparePolicies(comparison);
    assert.deepEqual(
      reports.map(({ policy, plans, attempts, stuck }) => ({ policy, plans, attempts, stuck })),
      policies.map(({ name }) => ({ policy: name, plans: 2, attempts: 4, stuck: 0 })),
    );
    assert.deepEqual(comparePolicies(comparison), reports);
    assert.notDeepEqual(comparePolicies({ ...comparison, seed: 50 }), reports);
  });
});

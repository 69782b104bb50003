import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Colmeia, LeaseView } from '../../src/colmeia.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { OpenPlace } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import { ALL_TASK_TYPES } from './sample-decision.ts';
import { eventually, fleetJournal, scheduled } from './scheduled.ts';

/** A backlog of seconds is an overload, and nothing waits for a second look. */
const TENSE = {
  last_resort_after_ms: 0,
  settings: {
    saturation: {
      busy_seconds: 1,
      saturated_seconds: 2,
      overloaded_seconds: 3,
      exit_share: 1,
      dwell_ms: 0,
      smoothing_ms: 0,
    },
    burst: { open_seconds: 1, open_after_ms: 0, close_seconds: 1, min_stay_ms: 0 },
    degradation: { rise_after_ms: 0, fall_after_ms: 0 },
  },
};
const ORDER = [
  'no-exploration',
  'burst-pool',
  'best-effort-waits',
  'secondary-cluster',
  'people',
  'refuse-bronze',
  'refuse-silver',
];

async function register(colmeia: Colmeia, agent_id: string, more: Record<string, unknown> = {}): Promise<void> {
  const agent = { agent_id, task_types: ALL_TASK_TYPES, concurrency: 1, ...more };
  await colmeia.agents.register(LOCAL_OPERATOR, agent);
}

const ask = async (colmeia: Colmeia, agent: string, wait_ms = 2_000): Promise<LeaseView[]> =>
  (await colmeia.agents.lease(LOCAL_OPERATOR, agent, { max: 1, wait_ms })).leases;

export function pressureConformance(place: OpenPlace): void {
  describe('more work than agents', { concurrency: true }, () => {
    test('brings in helpers and takes away service in the published order, and all comes back', async () => {
      await scheduled(place, { scheduling: TENSE }, async ({ colmeia }) => {
        const bronze = await SampleCompany.found(colmeia, 'bronze');
        const gold = await SampleCompany.found(colmeia, 'gold');
        await register(colmeia, 'ordinary');
        await register(colmeia, 'burst', { labels: { burst: 'true' } });
        await register(colmeia, 'far', { labels: { last_resort: 'true' } });
        await register(colmeia, 'person', { kind: 'person', labels: { fallback: 'true' } });
        const step = async (): Promise<number> => (await colmeia.scheduling.degradation(LOCAL_OPERATOR)).step;
        assert.equal(colmeia.ready().checks.service!.status, 'ok');
        const few = bronze.submit('few', [{ id: 'a' }, { id: 'b', after: ['a'] }], {
          plan: { requires_approval: true },
        });
        assert.equal((await few).status, 'waiting_approval');

        const load = Array.from({ length: 40 }, (_, n) => ({ id: `t${n}`, estimateMs: 60_000 }));
        await bronze.submit('load', load);
        const helpers = [ask(colmeia, 'burst', 9_000), ask(colmeia, 'far', 9_000)];
        const [held] = await ask(colmeia, 'ordinary');
        assert.ok(held);
        await eventually('the last step', step, (at) => at === 7);
        const [burst, far] = await Promise.all(helpers);
        assert.deepEqual([burst!.length, far!.length], [1, 1]);
        const offered = async () => (await colmeia.inbox.list(LOCAL_OPERATOR, { limit: 10 })).items;
        await eventually('what people are offered', offered, (items) =>
          items.some(({ agent_id }) => agent_id === 'person'),
        );

        const { steps } = await colmeia.scheduling.degradation(LOCAL_OPERATOR);
        assert.deepEqual(
          steps.map(({ name, active }) => [name, active]),
          ORDER.map((name) => [name, true]),
        );
        const ready = colmeia.ready();
        assert.deepEqual([ready.status, ready.mode, ready.checks.service!.status], ['ready', 'degraded', 'reduced']);
        for (const { what } of steps) assert.ok(ready.checks.service!.detail!.includes(what), what);
        const { text } = await colmeia.metrics();
        assert.match(text, /^orchestration_burst_capacity_activations_total(?:\{[^}]*\})? 1$/m);
        assert.match(text, /^colmeia_degradation_step 7$/m);

        // What is refused, and what never is.
        assert.equal((await gold.submit('more', [{ id: 'a' }])).status, 'running');
        const { retryAfterMs } = await refused(bronze.submit('more', [{ id: 'a' }]), 'QUEUE_FULL');
        assert.ok(retryAfterMs! >= 1_000, String(retryAfterMs));
        assert.equal((await bronze.submit('load', load)).duplicate, true);
        const { lease_id, fencing_token } = held;
        await colmeia.leases.complete(LOCAL_OPERATOR, lease_id, { fencing_token, output: {} });
        assert.equal((await colmeia.plans.approve(bronze.who, { planId: 'few' }, {})).status, 'running');
        for (const [company, plan] of [
          [bronze, 'few'],
          [bronze, 'load'],
          [gold, 'more'],
        ] as const)
          await colmeia.plans.cancel(company.who, { planId: plan }, {});

        await eventually('full service', step, (at) => at === 0);
        assert.equal(colmeia.ready().mode, 'full');
        assert.equal((await bronze.submit('more', [{ id: 'a' }])).status, 'running');
        assert.deepEqual(await ask(colmeia, 'burst', 100), []);
        assert.deepEqual(await ask(colmeia, 'far', 100), []);
        assert.equal((await ask(colmeia, 'ordinary')).length, 1);
        const journal = await fleetJournal(colmeia);
        const reached = journal.filter(({ type }) => type === 'scheduler.degraded').map(({ data }) => data!.to);
        assert.deepEqual(reached, [1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1, 0]);
        const bursts = journal.filter(({ type }) => type.startsWith('burst.')).map(({ type }) => type);
        assert.deepEqual(bursts, ['burst.activated', 'burst.deactivated']);
      });
    });

    test('is looked at once a second, and when nothing waits or runs nothing looks at the time at all', async (t) => {
      await scheduled(place, {}, async ({ colmeia, clock, hasReplicas }) => {
        if (hasReplicas) return t.skip('replicas look at each other');
        const company = await SampleCompany.found(colmeia);
        await company.agent('worker');
        await company.submit('short', [{ id: 'a' }]);
        await company.work('short', 'worker');
        await sleep(1_500); // the look that finds nothing, and what follows a commit
        const before = clock.reads;
        await sleep(1_500);
        assert.equal(clock.reads, before);
        await company.submit('waits', [{ id: 'a', capabilities: ['nobody'] }]);
        const busy = clock.reads;
        await eventually(
          'a look at the time',
          async () => clock.reads,
          (reads) => reads > busy,
        );
      });
    });
  });
}

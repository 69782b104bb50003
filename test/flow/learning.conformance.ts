import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Colmeia, LeaseView } from '../../src/colmeia.ts';
import { keepKnowledge } from '../../src/execution/swarm/swarm-store.ts';
import type { TrailView } from '../../src/execution/swarm/scheduling-views.ts';
import { openStore } from '../../src/platform/store/open-store.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import { QUICK, type OpenPlace } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import type { SampleTask } from './sample-decision.ts';
import { eventually, fleetJournal, scheduled, type LeapingClock } from './scheduled.ts';

const tasks = (count: number, more: Partial<SampleTask> = {}): SampleTask[] =>
  Array.from({ length: count }, (_, n) => ({ id: `t${n}`, ...more }));

/** Tickets that may fail as often as they like. */
const PATIENT = {
  policy: {
    ...QUICK.policy,
    backoff: { baseMs: 1, maxMs: 1, quotaMs: 1 },
    tickets: { ...QUICK.policy!.tickets!, maxRetries: { critical: 99, high: 99, medium: 99, low: 99 } },
  },
};

const trailsOf = async (colmeia: Colmeia, agent: string): Promise<TrailView[]> =>
  (await colmeia.scheduling.trails(LOCAL_OPERATOR, { limit: 100 })).items.filter(({ agent_id }) => agent_id === agent);

const breakerRemoves = async (company: SampleCompany, task: string): Promise<number | undefined> =>
  (await company.why('load', task)).queue?.filters.find(({ name }) => name === 'breaker')?.removed;

/** Both agents ask in turns; the bad one fails what it gets at once, the good one takes a second for it. */
async function share(
  company: SampleCompany,
  clock: LeapingClock,
  turns: number,
): Promise<{ bad: number; good: number }> {
  const got = { bad: 0, good: 0 };
  for (let turn = 0; turn < turns; turn++) {
    const offered = { bad: company.lease('bad', 1, 60), good: company.lease('good', 1, 60) };
    for (const lease of await offered.bad) {
      got.bad++;
      await company.fail(lease, 'transient');
    }
    for (const lease of await offered.good) {
      got.good++;
      clock.leap(1_000);
      await company.complete(lease);
    }
  }
  return got;
}

export function learningConformance(place: OpenPlace): void {
  describe('what agents do', () => {
    test('counts: one that fails fast loses its work, is tried again when its circuit closes, and is well again', async () => {
      await scheduled(place, PATIENT, async ({ colmeia, clock }) => {
        const company = await SampleCompany.found(colmeia);
        await company.agent('bad', { concurrency: 1 });
        await company.agent('good', { concurrency: 1 });
        await company.submit('load', tasks(60));
        const got = await share(company, clock, 20);
        assert.ok(got.good >= 15 && got.bad <= 8, JSON.stringify(got));
        // Alone it is not asked to either: its circuit is open, and one ticket tries it when that has closed.
        for (let n = 0; (await breakerRemoves(company, 't59')) === 0; n++) {
          assert.ok(n < 10, 'the circuit stays closed');
          for (const lease of await company.lease('bad', 1, 100)) await company.fail(lease, 'transient');
        }
        assert.deepEqual(await company.lease('bad', 1, 100), []);
        clock.leap(10 * 60_000);
        for (let n = 0; n < 3; n++) await company.complete(await company.leaseOne('bad'));
        assert.equal(await breakerRemoves(company, 't59'), 0);
      });
    });

    test('leaves trails that are seen, survive a restart and the loss of what was kept, and are reset by an operator', async () => {
      await scheduled(
        place,
        PATIENT,
        async ({ colmeia, clock, restart }) => {
          const company = await SampleCompany.found(colmeia);
          await company.agent('bad', { concurrency: 1 });
          await company.agent('good', { concurrency: 1 });
          await company.submit('load', tasks(60));
          await share(company, clock, 12);
          const [good] = await trailsOf(colmeia, 'good');
          const [bad] = await trailsOf(colmeia, 'bad');
          assert.ok(good!.success > 0.9 && good!.successes > 5 && good!.failures < 0.01, JSON.stringify(good));
          assert.ok(bad!.success < 0.8 && bad!.failures > 1, JSON.stringify(bad));

          const kept = await restart();
          const [goodAgain] = await trailsOf(kept, 'good');
          assert.ok(Math.abs(goodAgain!.successes - good!.successes) < 0.1, JSON.stringify([good, goodAgain]));

          const lost = await restart(async ({ databaseUrl = null, dataFolder = null }) => {
            const store = await openStore({ databaseUrl, dataFolder, log: () => {} });
            await keepKnowledge(store, {});
            await store.close();
          });
          const rebuilt = await eventually(
            'the trails',
            () => trailsOf(lost, 'good'),
            ([trail]) => trail !== undefined && Math.abs(trail.successes - good!.successes) < 0.1,
          );
          assert.ok(Math.abs(rebuilt[0]!.success - good!.success) < 0.02, JSON.stringify([good, rebuilt]));

          const { removed } = await lost.scheduling.resetTrails(LOCAL_OPERATOR, { agent_id: `${company.name}/good` });
          assert.equal(removed, 1);
          assert.deepEqual(await trailsOf(lost, 'good'), []);
          assert.equal((await trailsOf(lost, 'bad')).length, 1);
          const { type, by, data } = (await fleetJournal(lost)).at(-1)!;
          assert.deepEqual([type, data], ['scheduler.trails_reset', { agent: `${company.name}/good` }]);
          assert.ok(by);
          assert.deepEqual(await trailsOf(await restart(), 'good'), []);
        },
        { kept: true },
      );
    });

    test('is hedged: past its p95 an idempotent ticket runs at another too, and the first result counts', async () => {
      await scheduled(place, {}, async ({ colmeia, clock }) => {
        const company = await SampleCompany.found(colmeia);
        await company.agent('steady', { concurrency: 1 });
        await company.agent('other', { concurrency: 1 });
        for (let n = 0; n < 10; n++) {
          await company.submit(`known-${n}`, [{ id: 'a', type: 'QUERY' }]);
          const lease = await company.leaseOne('steady');
          clock.leap(1_000);
          await company.complete(lease);
        }
        const hangs = async (plan: string, task: Partial<SampleTask>, more = {}): Promise<LeaseView> => {
          await company.submit(plan, [{ id: 'a', ...task }], more);
          const lease = await company.leaseOne('steady');
          clock.leap(45_000);
          return lease;
        };
        const slow = await hangs('hangs', { type: 'QUERY' });
        const copy = await company.leaseOne('other');
        assert.equal(copy.ticket.ticket_id, slow.ticket.ticket_id);
        await company.complete(copy, { by: 'other' });
        await refused(company.complete(slow), 'LEASE_FENCED');
        await refused(colmeia.leases.heartbeat(company.who, slow.lease_id, slow), 'LEASE_FENCED');
        assert.equal((await company.ticket('hangs', 'a')).agent_id, 'other');

        for (const [plan, task, more] of [
          ['once', { type: 'QUERY' }, { plan: { risk_band: 'high' } }],
          ['effects', { type: 'DEPLOY' }, {}],
        ] as const) {
          const lease = await hangs(plan, task, more);
          assert.deepEqual(await company.lease('other', 1, 150), [], plan);
          await company.complete(lease);
        }
      });
    });

    test('is hedged a little at a time, and within the caps', async () => {
      const scheduling = {
        caps: { running: 12, per_company: 11 },
        settings: { speculation: { copies_max_share: 0.2 } },
      };
      await scheduled(place, { scheduling }, async ({ colmeia, clock }) => {
        const company = await SampleCompany.found(colmeia);
        await company.agent('steady', { concurrency: 10 });
        await company.agent('other', { concurrency: 10 });
        await company.agent('third', { concurrency: 10 });
        await company.submit('hang', tasks(10, { type: 'QUERY' }));
        assert.equal((await company.lease('steady', 10)).length, 10);
        clock.leap(50_000);
        const asked = [company.lease('other', 10, 700), company.lease('third', 10, 700)];
        const copies = (await Promise.all(asked)).flat();
        assert.equal(copies.length, 1); // two by their share, one by the cap of the company
      });
    });

    test('late tickets spend the error budget of their company: it is critical, says so, and is normal again later', async () => {
      await scheduled(place, {}, async ({ colmeia, clock }) => {
        const company = await SampleCompany.found(colmeia);
        const other = await SampleCompany.found(colmeia);
        for (const each of [company, other]) await each.agent('worker');
        await company.submit('late', tasks(30));
        clock.leap(61_000);
        await other.submit('in time', tasks(30));
        await company.work('late', 'worker');
        await other.work('in time', 'worker');
        const modesOf = async (of: SampleCompany) =>
          (await of.journal()).filter(({ type }) => type === 'budget.mode_changed').map(({ data }) => data?.to);
        await eventually(
          'the change of mode',
          () => modesOf(company),
          ([mode]) => mode === 'critical',
        );
        const [budget] = (await colmeia.scheduling.budgets(company.who, { limit: 10 })).items;
        assert.deepEqual([budget!.mode, budget!.remaining_percent], ['critical', 0]);
        const [spared] = (await colmeia.scheduling.budgets(other.who, { limit: 10 })).items;
        assert.deepEqual([spared!.mode, spared!.remaining_percent], ['normal', 100]);
        const { text } = await colmeia.metrics();
        assert.ok(Number(/^orchestration_sla_burn_rate(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1]) >= 14.4, text);
        assert.match(text, /^orchestration_sla_budget_remaining_percent(?:\{[^}]*\})? 0$/m);

        await eventually(
          'the return',
          async () => (clock.leap(3_600_000), modesOf(company)),
          (modes) => modes.at(-1) === 'normal',
        );
        assert.deepEqual(await modesOf(company), ['critical', 'tight', 'normal']);
        assert.deepEqual(await modesOf(other), []);
      });
    });
  });
}

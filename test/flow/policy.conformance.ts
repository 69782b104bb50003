import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { OpenPlace } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import { fleetJournal, scheduled } from './scheduled.ts';

export function policyConformance(place: OpenPlace): void {
  describe('the scheduling policy', () => {
    test('is what the process was started with, until an operator sets another; that outlives a restart', async () => {
      await scheduled(
        place,
        { scheduling: { preset: 'fairness' } },
        async ({ colmeia, restart }) => {
          const before = await colmeia.scheduling.policy(LOCAL_OPERATOR);
          assert.deepEqual([before.preset, before.policy.lag_seconds], ['fairness', 0]);
          assert.deepEqual([before.changed_at, before.changed_by], [null, null]);

          const document = { preset: 'adaptive', lag_seconds: 5, settings: { burst: { open_seconds: 7 } } };
          const set = await colmeia.scheduling.setPolicy(LOCAL_OPERATOR, document);
          assert.deepEqual(set, await colmeia.scheduling.policy(LOCAL_OPERATOR));
          assert.deepEqual([set.preset, set.policy.lag_seconds, set.document], ['adaptive', 5, document]);
          const event = (await fleetJournal(colmeia)).at(-1)!;
          assert.deepEqual([event.type, event.by], ['scheduler.policy_changed', set.changed_by]);
          assert.deepEqual(event.data, { from: { preset: 'fairness' }, to: document });

          assert.deepEqual(await (await restart()).scheduling.policy(LOCAL_OPERATOR), set);
        },
        { kept: true },
      );
    });

    test('that is wrong names every fault and changes nothing; one of a company may not be set at all', async () => {
      await scheduled(place, {}, async ({ colmeia }) => {
        const before = await colmeia.scheduling.policy(LOCAL_OPERATOR);
        const events = (await fleetJournal(colmeia)).length;
        const wrong = {
          preset: 'adaptve',
          tiers: { gold: 0 },
          caps: { per_label: { openai: 1 } },
          settings: { burst: { open_seconds: 'soon' } },
        };
        const { faults } = await refused(colmeia.scheduling.setPolicy(LOCAL_OPERATOR, wrong), 'INVALID_POLICY');
        assert.deepEqual(faults.map(({ path }) => path).sort(), [
          'caps.per_label.openai',
          'preset',
          'settings.burst.open_seconds',
          'tiers.gold',
        ]);
        const company = await SampleCompany.found(colmeia);
        const founded = (await fleetJournal(colmeia)).length;
        await refused(colmeia.scheduling.setPolicy(company.who, { preset: 'fairness' }), 'FORBIDDEN');
        assert.deepEqual(await colmeia.scheduling.policy(LOCAL_OPERATOR), before);
        assert.equal((await fleetJournal(colmeia)).length, founded);
        assert.ok(founded >= events);
      });
    });

    test('takes effect at once, its protection of agents too', async () => {
      await scheduled(place, {}, async ({ colmeia }) => {
        const company = await SampleCompany.found(colmeia);
        await company.agent('flaky');
        const settings = { guards: { breaker_consecutive: 1, breaker_open_ms: 3_600_000 } };
        await colmeia.scheduling.setPolicy(LOCAL_OPERATOR, { settings });
        await company.submit('fails', [{ id: 'a' }]);
        await company.fail(await company.leaseOne('flaky'), 'transient');
        assert.deepEqual(await company.lease('flaky', 1, 300), []);
        const why = await company.why('fails', 'a');
        assert.deepEqual(
          why.queue?.filters.filter(({ removed }) => removed > 0).map(({ name }) => name),
          ['breaker'],
        );
      });
    });
  });
}

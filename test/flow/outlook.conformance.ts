import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLoopbackServer } from '../../src/platform/loopback-server.testing.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { OpenPlace } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import { chainOf, type SampleTask } from './sample-decision.ts';
import { eventually, fleetJournal, scheduled } from './scheduled.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const minutes = (...ids: string[]): SampleTask[] => chainOf(...ids).map((task) => ({ ...task, estimateMs: MINUTE_MS }));

/** What posts its telemetry here, as it comes. */
async function withReceiver(work: (url: string, records: Record<string, unknown>[]) => Promise<void>): Promise<void> {
  const records: Record<string, unknown>[] = [];
  const receiver = await startLoopbackServer((_request, response, body) => {
    records.push(...(JSON.parse(body.toString()) as Record<string, unknown>[]));
    response.end();
  });
  try {
    await work(receiver.address, records);
  } finally {
    await receiver.close();
  }
}

export function outlookConformance(place: OpenPlace): void {
  describe('what is to be expected', { concurrency: true }, () => {
    test('of a deadline in danger is said at half the slack, an incident once when it is certain; of others nothing', async () => {
      await withReceiver(async (url, records) => {
        await scheduled(place, { telemetry: { url, secret: null } }, async ({ colmeia, clock }) => {
          const company = await SampleCompany.found(colmeia);
          await company.agent('worker', { concurrency: 1 });
          await company.submit('fine', [{ id: 'a', estimateMs: HOUR_MS }]);
          const fine = await company.leaseOne('worker');
          await company.submit('lost', minutes('a', 'b', 'c', 'd')); // four minutes, due in three
          const said = async (plan: string, type: string) =>
            (await company.journal(plan)).filter((event) => event.type === type);
          const look = async (leapMs: number): Promise<void> => {
            clock.leap(leapMs);
            await company.submit(`look-${clock.reads}`, [{ id: 'a', estimateMs: HOUR_MS }]); // a commit
          };
          await look(80_000);
          assert.deepEqual(await said('lost', 'plan.at_risk'), []);
          await look(11_000); // half of the three minutes
          const warnings = () => said('lost', 'plan.at_risk');
          const [warning] = await eventually('a warning', warnings, ({ length }) => length > 0);
          assert.ok(Math.abs(Number(warning!.data!.left_ms) - 89_000) < 10_000, JSON.stringify(warning));
          assert.ok(Number(warning!.data!.forecast_ms) >= 200_000, JSON.stringify(warning));
          const explained = await colmeia.plans.explain(company.who, { planId: 'lost' });
          assert.equal(explained.at_risk, 'certain');
          assert.ok(explained.forecast!.finish.p50 > explained.deadline!);
          assert.equal(explained.slowest.length, 4);
          for (let n = 0; n < 3; n++) await look(20_000);
          const incidents = () => said('lost', 'incident.raised');
          assert.equal((await eventually('the incident', incidents, ({ length }) => length > 0)).length, 1);
          assert.equal((await warnings()).filter(({ data }) => data!.level === 'certain').length, 1);
          assert.deepEqual(await said('fine', 'plan.at_risk'), []);
          await company.complete(fine);

          // What nobody can do is in danger, and not yet lost.
          await company.submit('nobody', [{ id: 'a', estimateMs: 1_000, capabilities: ['unheard-of'] }]);
          await look(31_000);
          const [unheard] = await eventually(
            'a warning',
            () => said('nobody', 'plan.at_risk'),
            ({ length }) => length > 0,
          );
          const { level, forecast_ms } = unheard!.data!;
          assert.deepEqual([level, forecast_ms], ['warning', null]);
          assert.deepEqual(await said('nobody', 'incident.raised'), []);
          const { text } = await colmeia.metrics();
          assert.match(text, /^orchestration_deadline_approaching_total(?:\{[^}]*\})? 2$/m);
          await eventually(
            'its telemetry',
            async () => records,
            (all) => all.some(({ event_type, status }) => event_type === 'SLA_VIOLATION' && status === 'WILL_MISS'),
          );
        });
      });
    });

    test('of a ticket is said for whatever it waits', async () => {
      await scheduled(place, {}, async ({ colmeia, clock }) => {
        const company = await SampleCompany.found(colmeia);
        const { who } = company;
        const waits = async (plan: string, task: string) => (await company.why(plan, task)).waits_for;
        await company.submit('gated', chainOf('a'), { plan: { requires_approval: true } });
        assert.equal((await waits('gated', 'a')).what, 'approval');
        await company.submit('plan', minutes('a', 'b'));
        const [a] = await company.tickets('plan');
        assert.deepEqual(await waits('plan', 'b'), {
          what: 'dependencies',
          tickets: [a!.ticket_id],
          until: null,
          agent_id: null,
        });
        const nobody = await company.why('plan', 'a');
        assert.deepEqual([nobody.waits_for.what, nobody.queue?.agents, nobody.forecast_start], ['agent', 0, null]);
        await colmeia.plans.pause(who, { planId: 'plan' }, {});
        assert.equal((await waits('plan', 'a')).what, 'resume');
        await colmeia.plans.resume(who, { planId: 'plan' }, {});

        await company.agent('worker', { concurrency: 1 });
        await company.submit('behind', [{ id: 'a', estimateMs: MINUTE_MS }]);
        const lease = await company.leaseOne('worker');
        assert.equal(lease.ticket.plan_id, 'plan');
        const runs = await waits('plan', 'a');
        assert.deepEqual([runs.what, runs.agent_id], ['result', 'worker']);
        assert.equal(runs.until, lease.ticket.started_at! + lease.ticket.sla.timeout_ms);
        const behind = await company.why('behind', 'a');
        assert.deepEqual([behind.waits_for.what, behind.queue?.position], ['agent', 1]);
        const [candidate] = behind.queue!.candidates;
        assert.equal(candidate!.agent_id, 'worker');
        assert.ok(Math.abs(candidate!.busy_until! - clock.now() - MINUTE_MS) < 5_000, JSON.stringify(candidate));
        const { p50, p90 } = behind.forecast_start!;
        assert.ok(p50 > clock.now() + 30_000 && p90 >= p50, JSON.stringify(behind.forecast_start));

        await company.fail(lease, 'transient', { retry_after_ms: HOUR_MS });
        const rests = await waits('plan', 'a');
        assert.equal(rests.what, 'backoff');
        assert.equal(rests.until, (await company.ticket('plan', 'a')).next_attempt_at);
        await company.work('behind', 'worker');
        assert.equal((await waits('behind', 'a')).what, 'nothing');
      });
    });

    test('of two presets is told by an experiment: in turns, over a restart, until a burning budget ends it', async () => {
      await scheduled(
        place,
        {},
        async ({ colmeia, clock, restart }) => {
          const company = await SampleCompany.found(colmeia);
          const settings = { a: 'adaptive', b: 'fairness', block_ms: 12 * HOUR_MS, washout_ms: 0, guard_burn: 20 };
          const wrong = { ...settings, b: 'adaptive', pairs: 1 };
          const { faults } = await refused(colmeia.scheduling.startExperiment(LOCAL_OPERATOR, wrong), 'INVALID_POLICY');
          assert.deepEqual(faults.map(({ path }) => path).sort(), ['experiment.b', 'experiment.pairs']);
          await refused(colmeia.scheduling.startExperiment(company.who, settings), 'FORBIDDEN');
          await refused(colmeia.scheduling.stopExperiment(LOCAL_OPERATOR, {}), 'EXPERIMENT_NOT_FOUND');
          assert.equal((await colmeia.scheduling.startExperiment(LOCAL_OPERATOR, settings)).state, 'running');
          await refused(colmeia.scheduling.startExperiment(LOCAL_OPERATOR, settings), 'EXPERIMENT_RUNNING');
          const switches = async (of = colmeia) =>
            (await fleetJournal(of))
              .filter(({ type }) => type === 'experiment.switched')
              .map(({ data }) => data!.preset as string);
          await eventually('the first block', switches, ({ length }) => length === 1);
          const later = async (): Promise<string[]> => {
            await sleep(1_000); // two leaps between two looks are less than the half of a block that would spoil it
            clock.leap(2.5 * HOUR_MS);
            return switches();
          };
          await eventually('the second block', later, ({ length }) => length === 2);
          const tried = await switches();
          assert.deepEqual(tried.toSorted(), ['adaptive', 'fairness']);
          assert.equal((await colmeia.scheduling.policy(LOCAL_OPERATOR)).preset, tried[1]);

          const closing = Date.now();
          const again = await restart();
          assert.ok(Date.now() - closing < 8_000, 'it took too long to end');
          const going = await again.scheduling.experiment(LOCAL_OPERATOR);
          assert.deepEqual([going!.state, going!.current], ['running', tried[1]]);
          assert.equal((await again.scheduling.policy(LOCAL_OPERATOR)).preset, tried[1]);

          const harmed = await SampleCompany.at(again, company.name, company.key);
          await harmed.agent('worker');
          await harmed.submit(
            'late',
            Array.from({ length: 25 }, (_, n) => ({ id: `t${n}` })),
          );
          clock.leap(61_000);
          await harmed.work('late', 'worker');
          const look = () => again.scheduling.experiment(LOCAL_OPERATOR);
          const ended = await eventually('its end', look, (one) => one?.state === 'ended');
          assert.deepEqual([ended!.stopped, ended!.winner, ended!.current], ['burn rate', null, null]);
          assert.equal((await again.scheduling.policy(LOCAL_OPERATOR)).preset, 'adaptive');
          const said = async () => (await fleetJournal(again)).filter(({ type }) => type.startsWith('experiment.'));
          const journal = await eventually('its record', said, (all) => all.at(-1)!.type === 'experiment.ended');
          assert.deepEqual(
            journal.map(({ type }) => type.slice(11)),
            ['started', 'switched', 'switched', 'ended'],
          );
          assert.deepEqual(await (await restart()).scheduling.experiment(LOCAL_OPERATOR), ended);
        },
        { kept: true },
      );
    });
  });
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Colmeia, LeaseView } from '../../src/colmeia.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { OpenPlace } from './place.ts';
import { SampleCompany } from './sample-company.ts';
import { ALL_TASK_TYPES, type SampleTask } from './sample-decision.ts';
import { scheduled, type LeapingClock } from './scheduled.ts';

const MINUTE_MS = 60_000;
const TIERS = ['gold', 'silver', 'bronze'] as const;

const tasks = (count: number, more: Partial<SampleTask> = {}): SampleTask[] =>
  Array.from({ length: count }, (_, n) => ({ id: `t${n}`, estimateMs: MINUTE_MS, ...more }));

/** An agent of the whole fleet. */
export const fleetAgent = (colmeia: Colmeia, agent_id: string, more: Record<string, unknown> = {}) =>
  colmeia.agents.register(LOCAL_OPERATOR, { agent_id, task_types: ALL_TASK_TYPES, concurrency: 100, ...more });

export const leaseFleet = async (colmeia: Colmeia, agentId: string, max = 1, wait_ms = 2_000): Promise<LeaseView[]> =>
  (await colmeia.agents.lease(LOCAL_OPERATOR, agentId, { max, wait_ms })).leases;

export const completeFleet = (colmeia: Colmeia, { lease_id, fencing_token }: LeaseView) =>
  colmeia.leases.complete(LOCAL_OPERATOR, lease_id, { fencing_token, output: {} });

const companyOf = ({ ticket }: LeaseView): string => ticket.metadata.instance!;

/** Works through so many tickets one by one, each of which takes a minute; gives whose they were. */
async function workOff(colmeia: Colmeia, clock: LeapingClock, agent: string, count: number): Promise<string[]> {
  const owners: string[] = [];
  for (let n = 0; n < count; n++) {
    const [lease] = await leaseFleet(colmeia, agent);
    assert.ok(lease, `no lease ${n}`);
    owners.push(companyOf(lease));
    clock.leap(MINUTE_MS);
    await completeFleet(colmeia, lease);
  }
  return owners;
}

const countOf = (all: readonly string[], one: SampleCompany): number => all.filter((name) => name === one.name).length;

export function sharesConformance(place: OpenPlace): void {
  describe('the shares of companies', () => {
    test('of a saturated agent are by their tiers, whatever deadlines they ask for, and after a restart too', async () => {
      const policy = { minTimeoutMs: 1, timeoutFactor: 100, defaultTimeoutMs: 1, maxRetries: NO_RETRIES };
      const scheduling = { preset: 'adaptive', lag_seconds: 60, aging_share: 0 };
      const options = { scheduling, policy: { tickets: policy } };
      await scheduled(
        place,
        options,
        async ({ colmeia, clock, restart }) => {
          const companies = await Promise.all(TIERS.map((tier) => SampleCompany.found(colmeia, tier)));
          await fleetAgent(colmeia, 'busy', { concurrency: 1 });
          // The one of bronze is in a hurry: its deadlines are the earliest by far.
          for (const [n, company] of companies.entries()) {
            const valid_until = clock.now() + (n === 2 ? 5 : 300) * 3_600_000;
            await company.submit('load', tasks(50), { plan: { valid_until } });
          }
          const before = await workOff(colmeia, clock, 'busy', 21);
          const after = await workOff(await restart(), clock, 'busy', 21);
          for (const part of [before, after])
            for (const [n, share] of [12, 6, 3].entries()) {
              const got = countOf(part, companies[n]!);
              assert.ok(Math.abs(got - share) <= 2, `${TIERS[n]} got ${got} of 21: ${part.join(' ')}`);
            }
        },
        { kept: true },
      );
    });

    test('a cap of what runs holds for all, for each company and for each label, and keeps none of the others', async () => {
      const caps = { running: 6, per_company: 3, per_label: { 'provider=one': 2 } };
      await scheduled(
        place,
        { scheduling: { caps } },
        async ({ colmeia, restart }) => {
          const [first, second] = [await SampleCompany.found(colmeia, 'gold'), await SampleCompany.found(colmeia)];
          await fleetAgent(colmeia, 'labelled', { labels: { provider: 'one' } });
          await fleetAgent(colmeia, 'free');
          await first.submit('load', tasks(10));
          await second.submit('load', tasks(10));
          const labelled = await leaseFleet(colmeia, 'labelled', 100);
          assert.equal(labelled.length, 2);
          const free = await leaseFleet(colmeia, 'free', 100);
          const all = [...labelled, ...free].map(companyOf);
          assert.deepEqual([countOf(all, first), countOf(all, second)], [3, 3]);
          const why = await first.why('load', 't9');
          assert.deepEqual(
            why.queue?.caps.map(({ name, limit, running }) => [name, limit, running]),
            [
              ['running', 6, 6],
              ['company', 3, 3],
              ['provider=one', 2, 2],
            ],
          );

          // What ran before a restart counts still.
          const again = await restart();
          assert.deepEqual(await leaseFleet(again, 'free', 100, 100), []);
          await completeFleet(again, free[0]!);
          const [next, ...more] = await leaseFleet(again, 'free', 100);
          assert.deepEqual([companyOf(next!), more], [companyOf(free[0]!), []]);
          await completeFleet(again, labelled[0]!);
          assert.equal((await leaseFleet(again, 'labelled', 100)).length, 1);
        },
        { kept: true },
      );
    });
  });
}

const NO_RETRIES = { critical: 1, high: 1, medium: 1, low: 1 };

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia, type ColmeiaOptions } from '../../src/index.ts';
import { copied } from './copies.conformance.ts';
import { QUICK, type OpenPlace } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import { chainOf } from './sample-decision.ts';

export function restartsConformance(place: OpenPlace): void {
  describe('after a restart', () => {
    test('everything goes on from where it was', async () => {
      await restarting(place, {}, async (before, restart) => {
        const old = await SampleCompany.found(before);
        await old.agent('worker', { concurrency: 50 });
        await old.submit('ended', chainOf('a'));
        await old.work('ended', 'worker');
        await refused(old.submit('invalid', [{ id: 'a', after: ['x'] }]), 'INVALID_DECISION');
        await old.submit('going', chainOf('a', 'b'));
        const going = await old.leaseOne('worker');
        await old.submit('resting', chainOf('a'));
        await old.fail(await old.leaseOne('worker'), 'transient', { retry_after_ms: 1_500 });
        const restingAt = (await old.ticket('resting', 'a')).next_attempt_at!;
        await old.submit('gated', chainOf('a'), { plan: { requires_approval: true } });
        await old.submit('halted', chainOf('a', 'b'));
        await old.complete(await old.leaseOne('worker'));
        await old.colmeia.plans.pause(old.who, { planId: 'halted' }, {});
        await old.submit('undoing', [
          { id: 'a', undo: 'x' },
          { id: 'b', undo: 'y', after: ['a'] },
          { id: 'c', after: ['b'] },
        ]);
        for (const task of ['a', 'b', 'c', 'b~undo']) {
          const lease = await old.leaseOne('worker');
          assert.equal(lease.ticket.task_id, task);
          if (task === 'c') await old.fail(lease, 'poison');
          else await old.complete(lease);
        }
        const events = (await old.journal()).length;

        const company = await SampleCompany.at(await restart(), old.name, old.key);
        const { colmeia, who } = company;
        assert.equal((await company.journal()).length, events);
        // the running attempt completes under the token it had
        assert.equal((await company.ticket('going', 'a')).state, 'running');
        await company.complete(going, { kept: 'token' });
        assert.deepEqual((await company.ticket('going', 'a')).result?.output, { kept: 'token' });
        // decisions are known
        assert.deepEqual(await submitted(company.submit('ended', chainOf('a'))), ['completed', true]);
        assert.deepEqual(await submitted(company.submit('going', chainOf('a', 'b'))), ['running', true]);
        await refused(company.submit('ended', chainOf('other')), 'PLAN_CONFLICT');
        await refused(company.submit('going', chainOf('other')), 'PLAN_CONFLICT');
        assert.deepEqual(await submitted(company.submit('invalid', chainOf('a'))), ['running', false]);
        // what waited waits, and what was being undone goes on
        const begun: string[] = [];
        for (const deadline = Date.now() + 5_000; begun.length < 4;) {
          assert.ok(Date.now() < deadline, begun.join());
          for (const lease of await company.lease('worker', 10, 200)) {
            begun.push(`${lease.ticket.plan_id} ${lease.ticket.task_id}`);
            if (lease.ticket.plan_id === 'resting') assert.ok(Date.now() >= restingAt - 1, 'it came before its time');
            await company.complete(lease);
          }
        }
        assert.deepEqual(begun.sort(), ['going b', 'invalid a', 'resting a', 'undoing a~undo']);
        assert.equal((await company.plan('undoing')).status, 'compensated');
        assert.deepEqual(await company.lease('worker', 10, 50), []);
        await colmeia.plans.approve(who, { planId: 'gated' }, {});
        await colmeia.plans.resume(who, { planId: 'halted' }, {});
        for (const plan of ['gated', 'halted']) {
          await company.work(plan, 'worker');
          assert.equal((await company.plan(plan)).status, 'completed');
        }
        for (const { ok, fault } of await colmeia.audit.verify(who, {})) assert.ok(ok, String(fault));
      });
    });

    test('an attempt whose agent did not survive is tried again when its lease runs out', async () => {
      await restarting(place, { leaseDurationMs: 300 }, async (before, restart) => {
        const old = await SampleCompany.found(before);
        await old.submit('orphan', chainOf('a'));
        await old.agent('gone');
        const lost = await old.leaseOne('gone');
        const company = await SampleCompany.at(await restart(), old.name, old.key);
        await company.agent('fresh');
        const lease = await company.leaseOne('fresh');
        assert.deepEqual([lease.attempt, lease.fencing_token], [2, 2]);
        await refused(company.complete(lost), 'LEASE_FENCED');
        await company.complete(lease);
        assert.equal((await company.plan('orphan')).status, 'completed');
      });
    });

    test('both attempts of a copied ticket go on under the tokens they had', async () => {
      await restarting(place, {}, async (before, restart) => {
        const old = await SampleCompany.found(before);
        const leases = await copied(old, 'twice');
        const company = await SampleCompany.at(await restart(), old.name, old.key);
        for (const { lease_id, fencing_token } of Object.values(leases))
          await company.colmeia.leases.heartbeat(company.who, lease_id, { fencing_token });
        await company.complete(leases.slow);
        await refused(company.complete(leases.fast), 'LEASE_FENCED');
        const again = await SampleCompany.at(await restart(), old.name, old.key);
        await again.complete(leases.slow); // said before
        await refused(again.complete(leases.fast), 'LEASE_FENCED');
        await again.work('twice', 'slow');
        assert.deepEqual((await again.plan('twice')).result?.inconsistencies, []);
      });
    });

    test('what waits for people waits on, under the token it had, and new work finds them', async () => {
      await restarting(place, { leaseDurationMs: 300 }, async (before, restart) => {
        const old = await SampleCompany.found(before);
        await old.agent('ana', { kind: 'person', capabilities: ['human'] });
        await old.submit('paper', [{ id: 'sign', capabilities: ['human'] }]);
        const inbox = (company: SampleCompany, plan: string) =>
          company.until(
            `${plan} in the inbox`,
            async () => (await company.colmeia.inbox.list(company.who, {})).items.filter((one) => one.plan_id === plan),
            (items) => items.length === 1,
          );
        const [item] = await inbox(old, 'paper');
        const company = await SampleCompany.at(await restart(), old.name, old.key);
        await sleep(600);
        assert.deepEqual(await inbox(company, 'paper'), [item]);
        await company.submit('more', [{ id: 'sign', capabilities: ['human'] }]);
        assert.equal((await inbox(company, 'more'))[0]?.agent_id, 'ana');
        await company.colmeia.leases.complete(company.who, item!.lease_id!, {
          fencing_token: item!.fencing_token!,
          output: {},
        });
        assert.equal((await company.plan('paper')).status, 'completed');
      });
    });

    test('keys, agents and the place of a reader are kept', async () => {
      await restarting(place, {}, async (before, restart) => {
        const old = await SampleCompany.found(before);
        await old.agent('known', { capabilities: ['rust'], concurrency: 7, labels: { zone: 'a' } });
        const seen: { id: string; type: string }[] = [];
        const stop = await before.events.subscribe(old.who, {}, (event) => void seen.push(event));
        await old.submit('p', chainOf('a'));
        await old.until(
          'events',
          async () => seen.length,
          (count) => count === 3,
        );
        stop();
        const company = await SampleCompany.at(await restart(), old.name, old.key);
        const agent = await company.colmeia.agents.get(company.who, 'known');
        assert.deepEqual([agent.capabilities, agent.concurrency, agent.labels], [['rust'], 7, { zone: 'a' }]);
        await company.work('p', 'known'); // it needs not register again
        const after: string[] = [];
        const end = await company.colmeia.events.subscribe(
          company.who,
          { after: seen.at(-1)!.id },
          ({ type }) => void after.push(type),
        );
        await company.until(
          'the rest',
          async () => after.length,
          (count) => count >= 4,
        );
        end();
        assert.deepEqual(after, ['ticket.leased', 'ticket.completed', 'plan.consolidating', 'plan.completed']);
      });
    });

    test('closing answers what waits, and twice is once', async () => {
      await restarting(place, {}, async (colmeia) => {
        const company = await SampleCompany.found(colmeia);
        await company.agent('worker');
        const poll = company.lease('worker', 1, 30_000);
        await sleep(10);
        await Promise.all([colmeia.close(), colmeia.close()]);
        assert.deepEqual(await poll, []);
        await assert.rejects(company.submit('late', chainOf('a')));
      });
    });
  });
}

const submitted = async (call: ReturnType<SampleCompany['submit']>): Promise<[string, boolean]> => {
  const { status, duplicate } = await call;
  return [status, duplicate];
};

async function restarting(
  place: OpenPlace,
  options: ColmeiaOptions,
  work: (colmeia: Colmeia, restart: () => Promise<Colmeia>) => Promise<void>,
): Promise<void> {
  const at = await place(true);
  const open = (): Promise<Colmeia> => createColmeia({ ...QUICK, ...options, ...at.options });
  let colmeia = await open();
  try {
    await work(colmeia, async () => {
      await colmeia.close();
      return (colmeia = await open());
    });
  } finally {
    await colmeia.close();
    await at.remove();
  }
}

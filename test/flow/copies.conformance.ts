import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LeaseView } from '../../src/colmeia.ts';
import { engineOf } from '../../src/create-colmeia.ts';
import { parseTicketId } from '../../src/execution/plans/plan.ts';
import type { Open } from './place.ts';
import { assertFlow, refused, SampleCompany } from './sample-company.ts';
import { chainOf } from './sample-decision.ts';

/** Two agents; the ticket `a` of the plan runs at `slow`, and a copy of it at `fast`. */
export async function copied(company: SampleCompany, plan: string, more?: Parameters<SampleCompany['submit']>[2]) {
  await company.submit(plan, chainOf('a', 'b'), more);
  await company.agent('slow');
  await company.agent('fast');
  const slow = await company.leaseOne('slow');
  return { slow, fast: await copyTo(company, slow, 'fast') };
}

/** What the scheduler does when a ticket takes longer than it should. */
async function copyTo(company: SampleCompany, lease: LeaseView, agent: string): Promise<LeaseView> {
  const offered = company.lease(agent);
  beginCopy(company, lease, agent);
  const [copy, ...others] = await offered;
  assert.ok(copy, 'no copy came');
  assert.deepEqual(others, []);
  assert.equal(copy.ticket.ticket_id, lease.ticket.ticket_id);
  return copy;
}

function beginCopy(company: SampleCompany, { ticket }: LeaseView, agent: string): void {
  engineOf(company.colmeia).copy({ ...parseTicketId(ticket.ticket_id)!, agent: `${company.name}/${agent}` });
}

const eventsOf = async (company: SampleCompany, plan: string): Promise<string[]> =>
  (await company.journal(plan)).flatMap(({ type, ticket, data }) =>
    ticket === 0 ? [`${type} ${String(data?.agent)}/${String(data?.fence)}`] : [],
  );

export function copiesConformance(open: Open): void {
  describe('copies of running tickets', () => {
    test('the first result counts, whose ever it is, and the other attempt is told to end', async () => {
      const company = await SampleCompany.found(open());
      for (const winner of ['slow', 'fast'] as const) {
        const leases = await copied(company, winner);
        const loser = leases[winner === 'slow' ? 'fast' : 'slow'];
        assert.deepEqual([leases.slow.fencing_token, leases.fast.fencing_token], [1, 2]);
        assert.deepEqual([leases.slow.attempt, leases.fast.attempt], [1, 1]);
        for (const { lease_id, fencing_token } of Object.values(leases)) {
          const beat = await company.colmeia.leases.heartbeat(company.who, lease_id, { fencing_token });
          assert.equal(beat.cancel, false);
        }
        await company.complete(leases[winner], { by: winner });
        await company.complete(leases[winner], { by: 'said twice' });
        await refused(company.complete(loser, { by: 'late' }), 'LEASE_FENCED');
        await refused(company.fail(loser, 'transient'), 'LEASE_FENCED');
        const beat = company.colmeia.leases.heartbeat(company.who, loser.lease_id, loser);
        await refused(beat, 'LEASE_FENCED');
        const ticket = await company.ticket(winner, 'a');
        assert.deepEqual(
          [ticket.state, ticket.agent_id, ticket.fencing_token, ticket.attempt, ticket.retry_count],
          ['completed', winner, leases[winner].fencing_token, 1, 0],
        );
        assert.deepEqual(ticket.result?.output, { by: winner });
        assert.equal(ticket.started_at, leases[winner].ticket.started_at);
        assert.deepEqual(await eventsOf(company, winner), [
          'ticket.leased slow/1',
          'ticket.copied fast/2',
          `ticket.completed ${winner}/${leases[winner].fencing_token}`,
          `ticket.copy_lost ${winner === 'slow' ? 'fast' : 'slow'}/${loser.fencing_token}`,
        ]);
        await company.work(winner, 'slow');
        const plan = await company.plan(winner);
        assert.deepEqual([plan.status, plan.result?.inconsistencies, plan.result?.retries], ['completed', [], 0]);
        assertFlow(await company.journal(winner), await company.tickets(winner));
      }
    });

    test('while two run, the failure of one uses up no retry; the failure of both uses up one', async () => {
      const company = await SampleCompany.found(open());
      const { slow, fast } = await copied(company, 'fails');
      await company.fail(fast, 'poison', { error_message: 'not here' });
      assert.equal((await company.ticket('fails', 'a')).state, 'running');
      await refused(company.complete(fast), 'LEASE_FENCED');
      beginCopy(company, slow, 'fast'); // had its copy: nothing happens
      assert.deepEqual(await company.lease('fast', 1, 80), []);
      await company.fail(slow, 'transient');
      assert.equal((await company.ticket('fails', 'a')).state, 'backoff');
      const again = await company.leaseOne('slow');
      assert.deepEqual([again.fencing_token, again.attempt], [3, 2]);
      const other = await copyTo(company, again, 'fast');
      await company.fail(again, 'transient');
      await company.complete(other);
      assert.deepEqual(await eventsOf(company, 'fails'), [
        'ticket.leased slow/1',
        'ticket.copied fast/2',
        'ticket.copy_failed fast/2',
        'ticket.retrying slow/1',
        'ticket.ready undefined/undefined',
        'ticket.leased slow/3',
        'ticket.copied fast/4',
        'ticket.copy_failed slow/3',
        'ticket.completed fast/4',
      ]);
    });

    test('cancelling tells both attempts, and fences both after their grace', async () => {
      const company = await SampleCompany.found(open());
      const leases = await copied(company, 'stop');
      await company.colmeia.plans.cancel(company.who, { planId: 'stop' }, {});
      for (const { lease_id, fencing_token } of Object.values(leases)) {
        const beat = await company.colmeia.leases.heartbeat(company.who, lease_id, { fencing_token });
        assert.equal(beat.cancel, true);
      }
      await company.until(
        'the end',
        () => company.plan('stop'),
        ({ status }) => status === 'cancelled',
      );
      for (const lease of Object.values(leases)) await refused(company.complete(lease), 'LEASE_FENCED');
    });

    test('a copy that nobody takes up is given back, and another may be begun', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('back', chainOf('a'));
      await company.agent('slow');
      await company.agent('fast');
      const slow = await company.leaseOne('slow');
      beginCopy(company, slow, 'fast'); // which does not ask for work
      await company.until(
        'its return',
        () => eventsOf(company, 'back'),
        (events) => events.includes('ticket.copy_released fast/2'),
      );
      const fast = await copyTo(company, slow, 'fast');
      assert.equal(fast.fencing_token, 3);
      await company.complete(slow);
      assert.equal((await company.plan('back')).status, 'completed');
    });

    test('what is to be done exactly once, or is destructive, is never copied', async () => {
      const company = await SampleCompany.found(open());
      await company.agent('slow');
      await company.agent('fast');
      const exactly = { plan: { risk_band: 'high' } };
      const destructive = { plan: { destructive_tasks: ['a'] } };
      for (const [plan, more] of Object.entries({ exactly, destructive })) {
        await company.submit(plan, chainOf('a'), more);
        if (more === destructive) await company.colmeia.plans.approve(company.who, { planId: plan }, {});
        const slow = await company.leaseOne('slow');
        beginCopy(company, slow, 'fast');
        assert.deepEqual(await company.lease('fast', 1, 80), []);
        await company.complete(slow);
      }
    });
  });
}

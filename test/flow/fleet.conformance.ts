import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentDetail, InboxItem } from '../../src/colmeia.ts';
import type { RecordedEvent } from '../../src/trust/audit/journal.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { Open } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import { chainOf } from './sample-decision.ts';

/** As the tests of this group run with. */
export const HEARTBEAT_MS = 300;

/** Who is alive, what people have to do, and what language models cost. */
export function fleetConformance(open: Open): void {
  describe('the life of agents', () => {
    test('an agent that falls silent is gone after two intervals: its ticket goes on elsewhere, and what it says then is fenced', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('silent', chainOf('a'));
      await company.agent('flighty');
      await company.agent('steady');
      await beat(company, 'flighty', 4);
      const lost = await company.leaseOne('flighty');
      const { a: next } = await company.leaseAll('steady', 'a');
      assert.ok(next);
      assert.deepEqual([next.ticket.task_id, next.attempt], ['a', 2]);
      assert.equal((await agentOf(company, 'flighty')).state, 'gone');
      await refused(company.complete(lost), 'LEASE_FENCED');
      const retrying = (await company.journal('silent')).find(({ type }) => type === 'ticket.retrying');
      assert.deepEqual([retrying?.data?.agent, retrying?.data?.error_class], ['flighty', 'timeout']);
      assert.match(String(retrying?.data?.error), /agent flighty is gone/);
      await company.complete(next);
      await company.lease('flighty', 1, 0);
      assert.equal((await agentOf(company, 'flighty')).life, 'alive');
      const said = await company.until(
        'the return in the journal',
        () => lifeOf(company, 'flighty'),
        (events) => events.length === 2,
      );
      assert.deepEqual(
        said.map(({ type, by, data }) => [type, by, data?.leases]),
        [
          ['agent.gone', 'engine', 1],
          ['agent.returned', 'engine', undefined],
        ],
      );
    });

    test('an agent that only polls and works is let work for a whole lease', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('quiet', chainOf('a'));
      await company.agent('quiet');
      const lease = await company.leaseOne('quiet');
      await sleep(4 * HEARTBEAT_MS);
      await company.complete(lease, { by: 'quiet' });
      assert.equal((await company.ticket('quiet', 'a')).attempt, 1);
      assert.deepEqual(await lifeOf(company, 'quiet'), []);
    });

    test('an agent that beats is never suspected, whether it works or waits', async () => {
      const company = await SampleCompany.found(open());
      await company.agent('lively');
      for (let n = 0; n < 12; n++) {
        await beat(company, 'lively', 1);
        assert.equal((await agentOf(company, 'lively')).state, 'active');
      }
      assert.deepEqual(await lifeOf(company, 'lively'), []);
    });

    test('a cordoned agent stays and gets nothing new, through a restart of its own too, until it is uncordoned', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('cordon', [{ id: 'a' }, { id: 'b' }]);
      await company.agent('fenced', { concurrency: 1 });
      const held = await company.leaseOne('fenced');
      assert.equal((await colmeia.agents.cordon(who, 'fenced')).state, 'cordoned');
      await company.complete(held);
      const waiting = company.lease('fenced', 1, 5_000);
      await company.agent('fenced', { concurrency: 1, version: '2' });
      assert.equal((await agentOf(company, 'fenced')).state, 'cordoned');
      assert.equal(await Promise.race([waiting, sleep(100)]), undefined, 'its poll stays open');
      await colmeia.agents.uncordon(who, 'fenced');
      assert.equal((await waiting).length, 1);
      const types = (await company.journal()).map(({ type }) => type).filter((type) => type.startsWith('agent.'));
      assert.deepEqual(types, ['agent.registered', 'agent.cordoned', 'agent.registered', 'agent.uncordoned']);
      const { key } = await colmeia.keys.create(who, { kind: 'agent', agent_id: 'fenced' });
      const self = (await colmeia.keys.authenticate(key))!;
      await refused(colmeia.agents.cordon(self, 'fenced'), 'FORBIDDEN');
      await refused(colmeia.agents.uncordon(self, 'fenced'), 'FORBIDDEN');
    });

    test('an agent shows its telemetry, what it did, and the versions it came with', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.agent('shown', { version: '1' });
      await colmeia.agents.heartbeat(who, 'shown', { telemetry: { queue: 2, cpu: 0.5, gpu_temperature: 61 } });
      const { faults } = await refused(
        colmeia.agents.heartbeat(who, 'shown', { telemetry: { cpu: 50, errors: -1, load: 'high', ' ': 1 } }),
        'INVALID_REQUEST',
      );
      assert.deepEqual(
        faults.map(({ path }) => path),
        ['telemetry.cpu', 'telemetry.errors', 'telemetry.load', 'telemetry. '],
      );
      await refused(colmeia.agents.heartbeat(who, 'shown', { telemetry: [1] }), 'INVALID_REQUEST');
      await company.agent('shown', { version: '2' });
      await company.agent('shown', { version: '2', concurrency: 7 });
      await company.submit('shown', [{ id: 'good' }, { id: 'bad' }]);
      await company.work('shown', 'shown', (task) => (task === 'bad' ? { fail: 'poison' } : null));
      const shown = await agentOf(company, 'shown');
      assert.deepEqual(shown.telemetry?.values, { queue: 2, cpu: 0.5, gpu_temperature: 61 });
      assert.deepEqual(
        shown.telemetry_history.map(({ queue, cpu, memory, errors }) => [queue, cpu, memory, errors]),
        [[2, 0.5, null, null]],
      );
      assert.deepEqual(
        shown.versions.map(({ version }) => version),
        ['1', '2'],
      );
      assert.deepEqual([shown.history?.completed, shown.history?.failed], [1, 1]);
      assert.deepEqual(shown.history?.recent.map((one) => [one.task_id, one.result, one.error_class]).sort(), [
        ['bad', 'failed', 'poison'],
        ['good', 'completed', null],
      ]);
    });
  });

  describe('people', () => {
    const human = [{ id: 'sign', capabilities: ['human'] }, { id: 'plain' }];
    const ticketOf = (items: readonly InboxItem[], task: string): InboxItem => {
      const found = items.find(({ kind, task_id }) => kind === 'ticket' && task_id === task);
      assert.ok(found, `${task} is in nobody's inbox`);
      return found;
    };
    const waits = (company: SampleCompany, task: string, agent_id?: string): Promise<InboxItem> =>
      company
        .until(
          `${task} in the inbox`,
          async () => (await company.colmeia.inbox.list(company.who, { agent_id })).items,
          (items) => items.some(({ kind, task_id }) => kind === 'ticket' && task_id === task),
        )
        .then((items) => ticketOf(items, task));
    const leaseOf = ({ lease_id }: InboxItem): string => lease_id!;

    test('a ticket that asks for a person comes to their inbox by itself and stays there without heartbeats; others do not', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.agent('ana', { kind: 'person', capabilities: ['human'], concurrency: undefined });
      assert.equal((await agentOf(company, 'ana')).concurrency, 10);
      await company.submit('human', human);
      const item = await waits(company, 'sign', 'ana');
      const ticket = await company.ticket('human', 'sign');
      assert.deepEqual(
        [item.agent_id, item.ticket_id, item.due_at, item.since, item.fencing_token],
        ['ana', ticket.ticket_id, ticket.sla.deadline, ticket.started_at, 1],
      );
      assert.equal(item.expires_at, ticket.started_at! + ticket.sla.timeout_ms);
      await sleep(3 * HEARTBEAT_MS);
      assert.deepEqual(
        [(await agentOf(company, 'ana')).life, (await company.ticket('human', 'sign')).attempt],
        ['alive', 1],
      );
      assert.equal((await company.ticket('human', 'plain')).state, 'ready', 'which no person asked for');
      await colmeia.leases.complete(who, leaseOf(item), { fencing_token: 1, output: { signed: 'yes' } });
      assert.deepEqual((await company.ticket('human', 'sign')).result?.output, { signed: 'yes' });
      assert.deepEqual((await colmeia.inbox.list(who, {})).items, []);
    });

    test('a ticket given back goes to somebody else, and can be claimed', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      const person = { kind: 'person', capabilities: ['human'] };
      await company.agent('ana', person);
      await company.submit('back', human);
      const hers = await waits(company, 'sign', 'ana');
      await company.agent('bob', person);
      await company.agent('eve', { kind: 'person', capabilities: [] });
      await colmeia.leases.release(who, leaseOf(hers), { fencing_token: 1, reason: 'on holiday' });
      const his = await waits(company, 'sign', 'bob');
      assert.equal(his.fencing_token, 2);
      assert.equal((await company.ticket('back', 'sign')).attempt, 1, 'no attempt was counted');
      const released = (await company.journal('back')).find(({ type }) => type === 'ticket.released');
      assert.deepEqual([released?.why, released?.data?.agent], ['on holiday', 'ana']);
      await refused(colmeia.leases.release(who, leaseOf(hers), { fencing_token: 1 }), 'LEASE_FENCED');

      const claimed = await colmeia.inbox.claim(who, his.ticket_id!, { agent_id: 'ana' });
      assert.deepEqual([claimed.agent_id, claimed.fencing_token], ['ana', 3]);
      assert.deepEqual(await colmeia.inbox.claim(who, his.ticket_id!, { agent_id: 'ana' }), claimed, 'said again');
      await refused(colmeia.leases.complete(who, leaseOf(his), { fencing_token: 2, output: {} }), 'LEASE_FENCED');
      await refused(colmeia.inbox.claim(who, his.ticket_id!, { agent_id: 'eve' }), 'INVALID_REQUEST');
      await refused(colmeia.inbox.claim(who, his.ticket_id!, { agent_id: 'nobody' }), 'AGENT_NOT_FOUND');
      await company.agent('machine');
      const plain = await company.leaseOne('machine');
      await refused(colmeia.inbox.claim(who, plain.ticket.ticket_id, { agent_id: 'ana' }), 'PLAN_STATE');
      await colmeia.leases.complete(who, claimed.lease_id, { fencing_token: 3, output: {} });
      await company.complete(plain);
      assert.equal((await company.plan('back')).status, 'completed');
      await refused(colmeia.inbox.claim(who, his.ticket_id!, { agent_id: 'ana' }), 'PLAN_STATE');
    });

    test('a person who is removed leaves nothing behind: their tickets go to others', async () => {
      const company = await SampleCompany.found(open());
      await company.agent('ana', { kind: 'person', capabilities: ['human'] });
      await company.submit('left', human);
      await waits(company, 'sign', 'ana');
      await company.colmeia.agents.remove(company.who, 'ana');
      await company.agent('bob', { kind: 'person', capabilities: ['human'] });
      assert.equal((await waits(company, 'sign', 'bob')).fencing_token, 2);
    });

    test('the inbox has approvals too, soonest due first, in pages; an agent sees its own tickets, a company its own', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.agent('ana', { kind: 'person', capabilities: ['human'] });
      await company.agent('bob', { kind: 'person', capabilities: ['audit'] });
      await company.submit('mixed', [
        { id: 'sign', capabilities: ['human'], estimateMs: 50_000_000 },
        { id: 'check', capabilities: ['audit'], estimateMs: 10_000_000 },
      ]);
      await company.submit('whole', chainOf('x'), { decision: { requires_human_review: true } });
      await company.submit('gated', chainOf('drop'), { plan: { destructive_tasks: ['drop'] } });
      await waits(company, 'sign');
      await waits(company, 'check');
      const all = (await colmeia.inbox.list(who, {})).items;
      assert.deepEqual(all.map(({ kind, plan_id, task_id }) => [kind, plan_id, task_id]).sort(), [
        ['plan', 'whole', null],
        ['task', 'gated', 'drop'],
        ['ticket', 'mixed', 'check'],
        ['ticket', 'mixed', 'sign'],
      ]);
      assert.deepEqual(
        all.map(({ due_at }) => due_at),
        all.map(({ due_at }) => due_at).toSorted((a, b) => a - b),
      );
      const paged: InboxItem[] = [];
      for (let after: string | undefined; ;) {
        const page = await colmeia.inbox.list(who, { limit: 1, after });
        paged.push(...page.items);
        if (page.next === null) break;
        after = page.next;
      }
      assert.deepEqual(paged, all);
      const { key } = await colmeia.keys.create(who, { kind: 'agent', agent_id: 'bob' });
      const bob = (await colmeia.keys.authenticate(key))!;
      const tasks = async (query: { agent_id?: string }) =>
        (await colmeia.inbox.list(bob, query)).items.map(({ task_id }) => task_id);
      assert.deepEqual(await tasks({}), ['check']);
      await refused(tasks({ agent_id: 'ana' }), 'FORBIDDEN');
      const other = await SampleCompany.found(colmeia);
      assert.deepEqual((await colmeia.inbox.list(other.who, {})).items, []);
      await refused(
        other.colmeia.inbox.claim(other.who, all[0]!.ticket_id ?? all[1]!.ticket_id!, { agent_id: 'ana' }),
        'TICKET_NOT_FOUND',
      );
      await refused(colmeia.inbox.list(who, { after: 'nonsense' }), 'INVALID_REQUEST');
    });
  });

  describe('language models', () => {
    test('tokens and cost of results add up, by agent and by company, each result once; a number that is none spoils no result', async () => {
      const colmeia = open();
      const company = await SampleCompany.found(colmeia);
      const { who } = company;
      await company.agent('priced', {
        kind: 'llm',
        labels: { cost_per_million_input: '2.50', cost_per_million_output: '10' },
      });
      await company.agent('own-bill', { kind: 'llm' });
      await company.submit('tokens', [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
      const [a] = await company.lease('priced', 1);
      const [b] = await company.lease('priced', 1);
      const [c] = await company.lease('own-bill', 1);
      const say = (lease: typeof a, metadata: Record<string, unknown>) =>
        colmeia.leases.complete(who, lease!.lease_id, {
          fencing_token: lease!.fencing_token,
          output: {},
          metadata,
        });
      const usage = { input_tokens: '1000000', output_tokens: '100000' };
      assert.equal((await say(a, usage)).warnings, undefined);
      await say(a, usage); // said again
      const { warnings } = await say(b, { input_tokens: '-5', output_tokens: 'many', cost_usd: '0.5' });
      assert.deepEqual(warnings?.length, 2);
      assert.match(warnings[0]!, /metadata\.input_tokens/);
      await say(c, { input_tokens: 7, output_tokens: 3, cost_usd: 1.25 });
      assert.equal((await company.plan('tokens')).status, 'completed');

      const priced = await company.until(
        'the count',
        async () => (await agentOf(company, 'priced')).usage,
        ({ results }) => results === 2,
      );
      assert.deepEqual([priced.input_tokens, priced.output_tokens, priced.cost_usd], [1_000_000, 100_000, 4]);
      const total = await company.until(
        'the total',
        async () => (await colmeia.agents.usage(who, {})).items,
        ([one]) => one?.results === 3,
      );
      assert.deepEqual(
        total.map(({ instance, agent_id, input_tokens, cost_usd }) => [instance, agent_id, input_tokens, cost_usd]),
        [[company.name, null, 1_000_007, 5.25]],
      );
      const byAgent = await colmeia.agents.usage(who, { by: 'agent', limit: 1 });
      assert.deepEqual([byAgent.items[0]?.agent_id, byAgent.items[0]?.cost_usd], ['own-bill', 1.25]);
      const next = await colmeia.agents.usage(who, { by: 'agent', limit: 1, after: byAgent.next! });
      assert.deepEqual([next.items[0]?.agent_id, next.next], ['priced', null]);
      const other = await SampleCompany.found(colmeia);
      assert.deepEqual((await colmeia.agents.usage(other.who, {})).items, []);
      const { text } = await colmeia.metrics();
      assert.match(text, /colmeia_llm_tokens_total\{direction="input"\} 1000007\b/);
      assert.match(text, /colmeia_llm_cost_usd_total 5.25/);
    });

    test('a price that is none is refused when the agent registers', async () => {
      const company = await SampleCompany.found(open());
      const { faults } = await refused(
        company.agent('dear', { labels: { cost_per_million_input: 'much' } }),
        'INVALID_REQUEST',
      );
      assert.deepEqual(
        faults.map(({ path }) => path),
        ['labels.cost_per_million_input'],
      );
    });
  });
}

const agentOf = (company: SampleCompany, agentId: string): Promise<AgentDetail> =>
  company.colmeia.agents.get(company.who, agentId);

/** Heartbeats at the pace of the SDK. */
async function beat(company: SampleCompany, agentId: string, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await company.colmeia.agents.heartbeat(company.who, agentId, {});
    await sleep(HEARTBEAT_MS / 2);
  }
}

/** What the journal says of an agent going and coming. */
async function lifeOf(company: SampleCompany, agentId: string): Promise<RecordedEvent[]> {
  const { items } = await company.colmeia.audit.list(LOCAL_OPERATOR, { instance: company.name, type: 'agent.' });
  return items
    .filter(({ type, data }) => (type === 'agent.gone' || type === 'agent.returned') && data?.agent === agentId)
    .toReversed();
}

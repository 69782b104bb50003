import { randomUUID } from 'node:crypto';
import type { InboxItem } from '../../colmeia.ts';
import { ColmeiaError, isColmeiaError } from '../../platform/errors.ts';
import { agentKeyOf, type Lease } from '../agents/agent.ts';
import type { AgentRegistry } from '../agents/agent-registry.ts';
import { searchInbox, type InboxSearch } from '../agents/inbox.ts';
import type { SignOfLife } from '../agents/live-agent.ts';
import type { AgentNews, CompanyWriter, CompanyWriters, GrantedLease, KnownAgent } from '../flow/company-writer.ts';
import type { FlowEngine } from '../flow/flow-engine.ts';
import { grantedLease } from '../flow/local-writer.ts';
import { parseLeaseId } from '../plans/plan.ts';
import type { ClassBacklog } from '../scheduling/why.ts';
import type { PeerMethods } from './peers.ts';
import type { Replica } from './replica-store.ts';
import type { Replicas } from './replicas.ts';

/** How long a call waits for a company that is moving. */
const MOVE_MS = 5_000;
const MOVE_STEP_MS = 50;

type PollInput = { agent: KnownAgent; max: number; waitMs: number };
/** `id` names the poll for `endPoll`. */
type PeerPollInput = PollInput & { id: string };

/** Work for an agent from the companies at home here. */
function localPoll({ engine, registry }: { engine: FlowEngine; registry: AgentRegistry }) {
  return async ({ agent, max, waitMs }: PollInput, signal?: AbortSignal): Promise<GrantedLease[]> => {
    const key = agentKeyOf(agent.instance, agent.spec.agent_id);
    const known = registry.get(key) ?? registry.put(agent.instance, agent.spec, agent.state);
    const leases = await registry.poll(known, max, waitMs, signal);
    return leases.flatMap((lease: Lease) => grantedLease(engine, lease) ?? []);
  };
}

/** Embedded: every company is at home here. */
export function embeddedWriters(
  writer: CompanyWriter,
  engine: FlowEngine,
  registry: AgentRegistry,
  backlog: () => ClassBacklog[],
): CompanyWriters {
  const poll = localPoll({ engine, registry });
  return {
    at: (_instance, ask) => ask(writer),
    poll: (agent, max, waitMs, signal) => poll({ agent, max, waitMs }, signal),
    inbox: async (search) => searchInbox(engine, registry, search),
    backlogs: async () => [backlog()],
    agentChanged: (news) => learnOfAgent(engine, registry, news),
  };
}

/** What the other replicas may ask of this one. */
export function peerMethods(
  writer: CompanyWriter,
  engine: FlowEngine,
  registry: AgentRegistry,
  backlog: () => ClassBacklog[],
): PeerMethods {
  const poll = localPoll({ engine, registry });
  const polls = new Map<string, AbortController>();
  const calls = Object.entries(writer).map(([name, call]) => [name, { call: (input: never) => call(input) }]);
  return {
    ...Object.fromEntries(calls),
    poll: {
      call: async ({ id, ...input }: PeerPollInput, gone) => {
        const end = new AbortController();
        polls.set(id, end);
        try {
          return await poll(input, AbortSignal.any([gone, end.signal]));
        } finally {
          polls.delete(id);
        }
      },
      undo: (leases: GrantedLease[]) => release(engine, leases),
    },
    endPoll: { call: async ({ id }: { id: string }) => polls.get(id)?.abort() },
    release: { call: async (leases: GrantedLease[]) => release(engine, leases) },
    backlog: { call: async () => backlog() },
    agentChanged: { call: async (news: AgentNews) => learnOfAgent(engine, registry, news) },
    agentsHeard: { call: async (signs: SignOfLife[]) => registry.heardElsewhere(signs) },
    inbox: { call: async (search: InboxSearch) => searchInbox(engine, registry, search) },
  } as PeerMethods;
}

function release(engine: FlowEngine, leases: readonly GrantedLease[]): void {
  for (const { leaseId } of leases) {
    const place = parseLeaseId(leaseId);
    if (place) engine.release({ plan: place.key, n: place.n, fence: place.fence });
  }
}

/** Here and at every other replica: the agent as it is now, and the end of attempts that it no longer works on. */
function learnOfAgent(engine: FlowEngine, registry: AgentRegistry, news: AgentNews): void {
  if (!('spec' in news)) return registry.remove(agentKeyOf(news.instance, news.agentId));
  const agent = registry.put(news.instance, news.spec, news.state);
  if (news.state === 'draining') registry.setState(agent.key, 'draining');
  if (news.held === undefined) return;
  const held = new Set(news.held);
  const error = 'the agent started again without this attempt';
  for (const { leaseId, plan: key, n, fence } of agent.leases) {
    const instance = engine.plan(key)?.instance;
    if (held.has(leaseId) || instance === undefined) continue;
    engine.lose({ instance, key, n, fence }, error).catch(() => {}); // then it runs out
  }
}

/** Several replicas: a call goes to the company's owner, an agent's poll to all of them. */
export function replicatedWriters(options: {
  writer: CompanyWriter;
  engine: FlowEngine;
  registry: AgentRegistry;
  replicas: Replicas;
  /** Why the database is away; null = it is there. */
  unavailable: () => string | null;
  backlog: () => ClassBacklog[];
}): CompanyWriters {
  const { writer, engine, registry, replicas, unavailable, backlog } = options;
  const poll = localPoll({ engine, registry });
  const { client } = replicas;

  const remote = (owner: Replica): CompanyWriter =>
    new Proxy({} as CompanyWriter, {
      get: (_target, method: string) => (input: unknown) => client.call(owner, method, input),
    });

  const pollAll = async (
    agent: KnownAgent,
    max: number,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<GrantedLease[]> => {
    const others = replicas.others();
    if (others.length === 0) return poll({ agent, max, waitMs }, signal);
    const done = new AbortController();
    const either = signal === undefined ? done.signal : AbortSignal.any([done.signal, signal]);
    return new Promise((resolve) => {
      let left = others.length + 1;
      let isAnswered = false;
      const got = (leases: GrantedLease[], giveBack: (surplus: GrantedLease[]) => void): void => {
        left--;
        if (leases.length > 0 && !isAnswered && !signal?.aborted) {
          isAnswered = true;
          resolve(leases);
          done.abort();
          return;
        }
        if (leases.length > 0) giveBack(leases);
        if (left === 0 && !isAnswered) resolve([]);
      };
      void poll({ agent, max, waitMs }, either).then((leases) => got(leases, (surplus) => release(engine, surplus)));
      for (const replica of others) {
        const giveBack = (surplus: GrantedLease[]): void => {
          void client.call(replica, 'release', surplus).catch(() => {}); // else they run out
        };
        const id = randomUUID();
        // Asked to end rather than cut off: leases on their way to nobody would be held until they run out.
        either.addEventListener('abort', () => void client.call(replica, 'endPoll', { id }).catch(() => {}), {
          once: true,
        });
        client.call<GrantedLease[]>(replica, 'poll', { id, agent, max, waitMs }, { waitMs }).then(
          (leases) => got(leases, giveBack),
          () => got([], giveBack),
        );
      }
    });
  };

  return {
    async at(instance, ask) {
      const until = Date.now() + MOVE_MS;
      for (;;) {
        try {
          if (engine.owns(instance)) return await ask(writer);
          const owner = replicas.ownerOf(instance);
          if (owner === null)
            throw new ColmeiaError('NOT_OWNER', `company "${instance}" is moving; it is not available just now`, {
              retryAfterMs: 500,
            });
          return await ask(remote(owner));
        } catch (error) {
          if (!isColmeiaError(error, 'NOT_OWNER')) throw error;
          const away = unavailable();
          if (away !== null)
            throw new ColmeiaError('STORE_UNAVAILABLE', `The database is not available: ${away}`, {
              retryAfterMs: 1_000,
            });
          if (Date.now() >= until) throw error;
          await new Promise((resolve) => setTimeout(resolve, MOVE_STEP_MS));
          await replicas.tick();
        }
      }
    },
    poll: pollAll,
    async backlogs() {
      const asked = replicas.others().map((replica) => client.call<ClassBacklog[]>(replica, 'backlog', {}));
      const answered = await Promise.allSettled(asked); // one that does not answer is going, and its companies with it
      return [backlog(), ...answered.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))];
    },
    async inbox(search) {
      const asked = replicas.others().map((other) => client.call<InboxItem[]>(other, 'inbox', search).catch(() => []));
      return [...searchInbox(engine, registry, search), ...(await Promise.all(asked)).flat()];
    },
    agentChanged(news) {
      learnOfAgent(engine, registry, news);
      for (const replica of replicas.others()) void client.call(replica, 'agentChanged', news).catch(() => {}); // it asks the database
    },
  };
}

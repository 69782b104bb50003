import type { Colmeia, StreamedEvent } from '../src/colmeia.ts';
import { runAgent, type RunningAgent } from '../src/agent.ts';
import { LOCAL_OPERATOR, localTransport } from '../src/index.ts';
import { chainDecision, nextPlanId } from './chain-decision.ts';

const STEPS = 5;
const RESULT = { data: 'x'.repeat(190) };

export type Load = {
  /** `clients` at once, each with one workflow at a time, for `ms`; only what ends within it counts. */
  run(clients: number, ms: number): Promise<{ workflows: number; seconds: number; latencies: number[] }>;
  /** `clients` at once until `workflows` have ended; gives their number. */
  count(clients: number, workflows: number): Promise<number>;
  stop(): Promise<void>;
};

export async function createCompanies(colmeia: Colmeia, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, n) => `company-${n}`);
  for (const name of names) await colmeia.instances.create(LOCAL_OPERATOR, { name });
  return names;
}

/** Agents of the SDK in this process that answer 200 bytes at once. */
export function startLocalAgents(colmeia: Colmeia, count = 4, concurrency = 100): RunningAgent[] {
  return Array.from({ length: count }, (_, n) =>
    runAgent({
      agentId: `bench-agent-${n}`,
      taskTypes: ['QUERY'],
      concurrency,
      transport: localTransport(colmeia),
      handler: () => RESULT,
      handleSignals: false,
      log: () => {},
    }),
  );
}

/** The ends of plans, told after their commits. */
export async function watchEnds(colmeia: Colmeia): Promise<{ of(planId: string): Promise<void>; stop(): void }> {
  const waiting = new Map<string, () => void>();
  const on = ({ type, plan }: StreamedEvent): void => {
    if (type !== 'plan.completed' || plan === undefined) return;
    waiting.get(plan)?.();
    waiting.delete(plan);
  };
  const stop = await colmeia.events.subscribe(LOCAL_OPERATOR, {}, on);
  return { of: (planId) => new Promise((resolve) => waiting.set(planId, resolve)), stop };
}

/** Chains of 5 steps over the companies, run to their last commit by agents in this process. */
export async function startChainLoad(colmeia: Colmeia, companies: readonly string[]): Promise<Load> {
  const agents = startLocalAgents(colmeia);
  const ends = await watchEnds(colmeia);
  let next = 0;
  const one = async (): Promise<void> => {
    const planId = nextPlanId();
    const ended = ends.of(planId);
    await colmeia.decisions.submit(
      LOCAL_OPERATOR,
      chainDecision(planId, { company: companies[next++ % companies.length], tasks: STEPS }),
    );
    await ended;
  };
  return {
    async run(clients, ms) {
      const latencies: number[] = [];
      const startedAt = performance.now();
      const until = startedAt + ms;
      const client = async (): Promise<void> => {
        for (let from = performance.now(); from < until; from = performance.now()) {
          await one();
          if (performance.now() <= until) latencies.push(performance.now() - from);
        }
      };
      await Promise.all(Array.from({ length: clients }, client));
      return { workflows: latencies.length, seconds: ms / 1_000, latencies };
    },
    async count(clients, workflows) {
      let left = workflows;
      const client = async (): Promise<void> => {
        while (left-- > 0) await one();
      };
      await Promise.all(Array.from({ length: clients }, client));
      return workflows;
    },
    async stop() {
      ends.stop();
      await Promise.all(agents.map((agent) => agent.stop(1_000)));
    },
  };
}

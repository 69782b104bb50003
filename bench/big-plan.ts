// One plan of 10,000 tickets that are all ready at once: from the call that submits it until an agent holds each of them.
// In process for the time of the engine; over HTTP against a server process for the time a caller sees, and for its memory.
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createColmeia, LOCAL_OPERATOR } from '../src/index.ts';
import { chainDecision, nextPlanId } from './chain-decision.ts';
import { HttpClient } from './http-client.ts';
import { Places, temporaryFolder, type PlaceKind, UNCAPPED } from './places.ts';
import { profiled } from './profile.ts';
import type { BenchContext } from './row.ts';
import { startServer } from './server-process.ts';
import { median, rounded } from './statistics.ts';

const TICKETS = 10_000;
const AGENTS = 10;
const ROUNDS = 3;
const SETTLE_MS = 3_000;
const DEADLINE_MS = 60_000;

type Lease = (agentId: string, max: number) => Promise<number>;
type Figures = { acceptedMs: number; leasedMs: number };

const bigDecision = (): Record<string, unknown> => chainDecision(nextPlanId(), { tasks: TICKETS, parallel: true });
const specOf = (agentId: string) => ({
  agent_id: agentId,
  kind: 'service',
  task_types: ['QUERY'],
  capabilities: [],
  concurrency: TICKETS,
  labels: {},
});

export async function bench(context: BenchContext): Promise<void> {
  const { say, add, profile } = context;
  const places = new Places();
  try {
    for (const kind of ['postgres', 'embedded'] as const) {
      const inside: Figures[] = [];
      for (let n = 0; n < ROUNDS; n++)
        inside.push(await inProcess(places, kind, profile && n === ROUNDS - 1 ? context : null));
      const of = (pick: (figures: Figures) => number): number => rounded(median(inside.map(pick)));
      add({
        work: `${kind}, 10,000 tickets in process, accepted`,
        value: of((f) => f.acceptedMs),
        unit: 'ms',
        target: null,
      });
      add({
        work: `${kind}, 10,000 tickets in process, all leased`,
        value: of((f) => f.leasedMs),
        unit: 'ms',
        target: '<= 1000',
      });
      const outside = await overHttp(places, kind);
      say(
        `  ${kind}, server process: ${outside.rssMb.toFixed(0)} MB before, ${outside.peakMb.toFixed(0)} MB at the peak`,
      );
      add({
        work: `${kind}, 10,000 tickets over HTTP, accepted`,
        value: rounded(outside.acceptedMs),
        unit: 'ms',
        target: null,
      });
      add({
        work: `${kind}, 10,000 tickets over HTTP, all leased`,
        value: rounded(outside.leasedMs),
        unit: 'ms',
        target: '<= 1000',
      });
      add({
        work: `${kind}, memory of the server after it`,
        value: rounded(outside.grownMb),
        unit: 'MB more',
        target: '<= 100',
      });
      add({
        work: `${kind}, memory of the server at the peak`,
        value: rounded(outside.peakMb - outside.rssMb),
        unit: 'MB more',
        target: null,
      });
    }
  } finally {
    await places.close();
  }
}

async function inProcess(places: Places, kind: PlaceKind, profiling: BenchContext | null): Promise<Figures> {
  const place = await places.fresh(kind);
  const colmeia = await createColmeia({ ...place, maxParallelTickets: UNCAPPED });
  try {
    for (let n = 0; n < AGENTS; n++) await colmeia.agents.register(LOCAL_OPERATOR, specOf(`big-${n}`));
    const lease: Lease = async (agentId, max) =>
      (await colmeia.agents.lease(LOCAL_OPERATOR, agentId, { max, wait_ms: 1_000 })).leases.length;
    const decision = bigDecision();
    const measure = () => timeLeases((value) => colmeia.decisions.submit(LOCAL_OPERATOR, value), decision, lease);
    return await (profiling === null ? measure() : profiled(`big-plan-${kind}`, profiling.say, measure));
  } finally {
    await colmeia.close();
    await place.remove();
  }
}

async function overHttp(
  places: Places,
  kind: PlaceKind,
): Promise<Figures & { rssMb: number; grownMb: number; peakMb: number }> {
  const place = await places.fresh(kind);
  const home = temporaryFolder('home');
  const server = await startServer(home, place.databaseUrl);
  const client = new HttpClient(server.address, server.key);
  try {
    for (let n = 0; n < AGENTS; n++) await client.must('POST', '/api/v1/agents', specOf(`big-${n}`));
    const lease: Lease = async (agentId, max) => {
      const answer = await client.must<{ leases: unknown[] }>('POST', `/api/v1/agents/${agentId}/leases`, {
        max,
        wait_ms: 1_000,
      });
      return answer.leases.length;
    };
    const submit = (value: unknown) => client.must('POST', '/api/v1/decisions', value);
    await submit(chainDecision(nextPlanId(), { tasks: 100, parallel: true, taskType: 'BUILD' }));
    await sleep(SETTLE_MS);
    const rssMb = server.rssMb();
    server.forgetPeak();
    const figures = await timeLeases(submit, bigDecision(), lease);
    const peakMb = server.peakRssMb();
    await sleep(SETTLE_MS);
    return { ...figures, rssMb, peakMb, grownMb: server.rssMb() - rssMb };
  } finally {
    await client.close();
    await server.stop();
    await place.remove();
    fs.rmSync(home, { recursive: true, force: true });
  }
}

/** Agents wait before the plan comes, and ask again until all is leased. */
async function timeLeases(
  submit: (decision: unknown) => Promise<unknown>,
  decision: unknown,
  lease: Lease,
): Promise<Figures> {
  let leased = 0;
  let leasedMs = 0;
  let from = 0;
  const until = performance.now() + DEADLINE_MS;
  const agent = async (agentId: string): Promise<void> => {
    while (leased < TICKETS && performance.now() < until) {
      const got = await lease(agentId, TICKETS / AGENTS);
      leased += got;
      if (leased === TICKETS && leasedMs === 0) leasedMs = performance.now() - from;
    }
  };
  const agents = Array.from({ length: AGENTS }, (_, n) => agent(`big-${n}`));
  await sleep(200);
  from = performance.now();
  await submit(decision);
  const acceptedMs = performance.now() - from;
  await Promise.all(agents);
  if (leased !== TICKETS) throw new Error(`${leased} of ${TICKETS} tickets were leased in ${DEADLINE_MS} ms`);
  return { acceptedMs, leasedMs };
}

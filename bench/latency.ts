// How long a caller waits for its 202, and an agent for its ticket: server and client are two processes on loopback.
import fs from 'node:fs';
import { HttpAgentTransport } from '../src/execution/agents/http-agent-transport.ts';
import { startBareServer } from './bare-http.ts';
import { chainDecision, nextPlanId } from './chain-decision.ts';
import { HttpClient } from './http-client.ts';
import { keptFolder, Places, temporaryFolder, type PlaceKind } from './places.ts';
import { printProfile } from './profile.ts';
import type { BenchContext } from './row.ts';
import { startServer, type ServerProcess } from './server-process.ts';
import { median, quantile, rounded } from './statistics.ts';

const ROUNDS = 3;
const SUBMITS = 300;
const AGENTS = 200;
const LEASES_PER_SECOND = 1_000;
const STEPS = 5;
const WARM_UP_MS = 2_000;
const MEASURE_MS = 5_000;

type Dispatch = { perSecond: number; decidedP50: number; decidedP99: number; grantedP50: number; grantedP99: number };
type Round = Dispatch & { submitP50: number; submitP99: number };

export async function bench({ say, add, profile }: BenchContext): Promise<void> {
  const places = new Places();
  const rounds = new Map<PlaceKind, Round[]>([
    ['postgres', []],
    ['embedded', []],
  ]);
  const bare: number[] = [];
  try {
    for (let n = 1; n <= (profile ? 1 : ROUNDS); n++) {
      for (const [kind, found] of rounds) {
        const round = await runRound(places, kind, { profile, say });
        found.push(round);
        say(
          `  ${kind}, round ${n}: submit p50 ${round.submitP50.toFixed(2)} ms; ${round.perSecond.toFixed(0)} leases/s, decided → agent p99 ${round.decidedP99.toFixed(1)} ms`,
        );
      }
      const server = await startBareServer();
      const client = new HttpClient(server.address, '');
      bare.push(quantile(await submits((body) => client.must('POST', '/submit', body)), 0.5));
      await client.close();
      await server.stop();
    }
  } finally {
    await places.close();
  }
  for (const [kind, found] of rounds) {
    const of = (pick: (round: Round) => number): number => rounded(median(found.map(pick)));
    const submit = `${kind}, submit of a 5-task plan over HTTP`;
    add({
      work: `${submit}, p50`,
      value: of((r) => r.submitP50),
      unit: 'ms',
      target: '<= 4',
      baseline: rounded(median(bare)),
    });
    add({ work: `${submit}, p99`, value: of((r) => r.submitP99), unit: 'ms', target: null });
    const dispatch = `${kind}, ${AGENTS} agents`;
    add({
      work: `${dispatch}, leases asked for: ${LEASES_PER_SECOND}/s`,
      value: of((r) => r.perSecond),
      unit: 'leases/s',
      target: null,
    });
    add({ work: `${dispatch}, decided → agent has it, p50`, value: of((r) => r.decidedP50), unit: 'ms', target: null });
    add({
      work: `${dispatch}, decided → agent has it, p99`,
      value: of((r) => r.decidedP99),
      unit: 'ms',
      target: '<= 8',
    });
    add({
      work: `${dispatch}, committed → agent has it, p50`,
      value: of((r) => r.grantedP50),
      unit: 'ms',
      target: null,
    });
    add({
      work: `${dispatch}, committed → agent has it, p99`,
      value: of((r) => r.grantedP99),
      unit: 'ms',
      target: null,
    });
  }
}

async function runRound(
  places: Places,
  kind: PlaceKind,
  { profile, say }: Pick<BenchContext, 'profile' | 'say'>,
): Promise<Round> {
  const place = await places.fresh(kind);
  const home = temporaryFolder('home');
  const profileFolder = profile ? keptFolder('profile') : null;
  const server = await startServer(home, place.databaseUrl, profileFolder);
  const client = new HttpClient(server.address, server.key);
  try {
    const post = (body: object) => client.must('POST', '/api/v1/decisions', body);
    const waits = await submits(post);
    const dispatch = await measureDispatch(server, client);
    return { ...dispatch, submitP50: quantile(waits, 0.5), submitP99: quantile(waits, 0.99) };
  } finally {
    await client.close();
    await server.stop();
    if (profileFolder !== null) printProfile(profileFolder, say);
    await place.remove();
    fs.rmSync(home, { recursive: true, force: true });
  }
}

/** One caller, one call after the other; the first third does not count. No agent takes their tickets. */
async function submits(post: (decision: object) => Promise<unknown>): Promise<number[]> {
  const waits: number[] = [];
  for (let n = 0; n < SUBMITS * 1.5; n++) {
    const decision = chainDecision(nextPlanId(), { tasks: STEPS, taskType: 'BUILD' });
    const from = performance.now();
    await post(decision);
    waits.push(performance.now() - from);
  }
  return waits.slice(-SUBMITS);
}

/** Chains arrive at an even rate; each agent takes one ticket at a time and completes it. */
async function measureDispatch(server: ServerProcess, client: HttpClient): Promise<Dispatch> {
  const transport = new HttpAgentTransport({ home: server.home, address: server.address, key: server.key });
  const over = new AbortController();
  const now = preciseNow();
  const decided: number[] = [];
  const granted: number[] = [];
  let from = Number.POSITIVE_INFINITY;
  let until = Number.POSITIVE_INFINITY;

  const agent = async (n: number): Promise<void> => {
    const agentId = `waiting-${n}`;
    const spec = {
      agent_id: agentId,
      kind: 'service' as const,
      task_types: ['QUERY'],
      capabilities: [],
      concurrency: 1,
    };
    const terms = await transport.register(spec);
    for (let poll = 0; !over.signal.aborted; poll++) {
      const wanted = { max: 1, waitMs: 20_000, idempotencyKey: `${agentId}-${poll}`, signal: over.signal };
      const { leases } = await transport.lease(agentId, wanted);
      const at = now();
      for (const { lease_id, fencing_token, expires_at, ticket } of leases) {
        if (at >= from && at < until) {
          decided.push(at - ticket.started_at!);
          granted.push(at - (expires_at - terms.lease_duration_ms));
        }
        await transport.complete(lease_id, { fencingToken: fencing_token, output: { data: 'x'.repeat(190) } });
      }
    }
  };
  const stopped = (error: unknown): void => {
    if (!over.signal.aborted) throw error;
  };
  const agents = Array.from({ length: AGENTS }, (_, n) => agent(n).catch(stopped));
  const sent: Promise<unknown>[] = [];
  const perChainMs = (1_000 * STEPS) / LEASES_PER_SECOND;
  const startedAt = now();
  from = startedAt + WARM_UP_MS;
  until = from + MEASURE_MS;
  for (let chains = 0; now() < until;) {
    for (; now() >= startedAt + chains * perChainMs; chains++)
      sent.push(client.must('POST', '/api/v1/decisions', chainDecision(nextPlanId(), { tasks: STEPS })));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(sent);
  over.abort();
  await Promise.all(agents);
  await transport.close();
  return {
    perSecond: (decided.length * 1_000) / MEASURE_MS,
    decidedP50: quantile(decided, 0.5),
    decidedP99: quantile(decided, 0.99),
    grantedP50: quantile(granted, 0.5),
    grantedP99: quantile(granted, 0.99),
  };
}

/** Epoch ms with fractions, in step with the clock that the server's whole milliseconds come from. */
function preciseNow(): () => number {
  const tick = Date.now();
  let next = Date.now();
  while (next === tick) next = Date.now();
  const offset = next - performance.now();
  return () => offset + performance.now();
}

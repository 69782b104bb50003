// Chains of 5 steps through the HTTP API: the server, 2 processes of SDK agents, and this process with 50 clients.
// Baseline: POSTs per second that a bare fastify route answers to the same clients, as the calls that a step needs.
import { fork, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { startBareServer } from './bare-http.ts';
import { chainDecision, nextPlanId } from './chain-decision.ts';
import { HttpClient, watchEndsOverHttp } from './http-client.ts';
import { keptFolder, Places, temporaryFolder, type PlaceKind } from './places.ts';
import { printProfile } from './profile.ts';
import type { BenchContext } from './row.ts';
import { startServer, type ServerProcess } from './server-process.ts';
import { median, quantile, rounded } from './statistics.ts';

const ROUNDS = 3;
const MEASURE_MS = 4_000;
const WARM_UP_MS = 3_000;
const CLIENTS = 50;
const COMPANIES = 20;
const STEPS = 5;
const AGENT_PROCESSES = 2;
const CONCURRENCY = 50;

type Figures = { stepsPerSecond: number; p50: number; p99: number };

export async function bench({ say, add, profile }: BenchContext): Promise<void> {
  const places = new Places();
  const figures = new Map<PlaceKind, Figures[]>([
    ['postgres', []],
    ['embedded', []],
  ]);
  const bare: number[] = [];
  try {
    for (let round = 1; round <= (profile ? 1 : ROUNDS); round++) {
      for (const [kind, found] of figures) {
        const got = await runRound(places, kind, { profile, say });
        found.push(got);
        say(`  ${kind}, round ${round}: ${got.stepsPerSecond.toFixed(0)} steps/s, p50 ${got.p50.toFixed(1)} ms`);
      }
      bare.push(await barePosts());
      say(`  bare route, round ${round}: ${bare.at(-1)!.toFixed(0)} calls/s`);
    }
  } finally {
    await places.close();
  }
  for (const [kind, found] of figures) {
    const of = (pick: (got: Figures) => number): number => rounded(median(found.map(pick)));
    const work = `${kind}, agents over HTTP, ${CLIENTS} clients`;
    add({
      work,
      value: of((got) => got.stepsPerSecond),
      unit: 'steps/s',
      target: '>= 2500',
      baseline: rounded(median(bare)),
    });
    add({ work: `${work}, workflow p50`, value: of((got) => got.p50), unit: 'ms', target: null });
    add({ work: `${work}, workflow p99`, value: of((got) => got.p99), unit: 'ms', target: null });
  }
}

async function runRound(
  places: Places,
  kind: PlaceKind,
  { profile, say }: Pick<BenchContext, 'profile' | 'say'>,
): Promise<Figures> {
  const place = await places.fresh(kind);
  const home = temporaryFolder('home');
  const profileFolder = profile ? keptFolder('profile') : null;
  const server = await startServer(home, place.databaseUrl, profileFolder);
  const agents = Array.from({ length: AGENT_PROCESSES }, (_, n) => startAgentProcess(server, n));
  const client = new HttpClient(server.address, server.key);
  try {
    for (let n = 0; n < COMPANIES; n++) await client.must('POST', '/api/v1/instances', { name: `company-${n}` });
    const ended = await watchEndsOverHttp(client);
    let next = 0;
    const one = async (): Promise<void> => {
      const planId = nextPlanId();
      const end = ended(planId);
      const decision = chainDecision(planId, { company: `company-${next++ % COMPANIES}`, tasks: STEPS });
      await client.must('POST', '/api/v1/decisions', decision);
      await end;
    };
    await load(one, WARM_UP_MS);
    const latencies = await load(one, MEASURE_MS);
    return {
      stepsPerSecond: (STEPS * latencies.length * 1_000) / MEASURE_MS,
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
    };
  } finally {
    await Promise.all(agents.map(stopAgentProcess));
    await client.close();
    await server.stop();
    if (profileFolder !== null) printProfile(profileFolder, say);
    await place.remove();
    fs.rmSync(home, { recursive: true, force: true });
  }
}

async function load(one: () => Promise<unknown>, ms: number): Promise<number[]> {
  const latencies: number[] = [];
  const until = performance.now() + ms;
  const client = async (): Promise<void> => {
    for (let from = performance.now(); from < until; from = performance.now()) {
      await one();
      if (performance.now() <= until) latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return latencies;
}

async function barePosts(): Promise<number> {
  const server = await startBareServer();
  const client = new HttpClient(server.address, '');
  const body = chainDecision('bare', { tasks: STEPS });
  try {
    const post = () => client.must('POST', '/submit', body);
    await load(post, 1_000);
    return ((await load(post, 2_000)).length * 1_000) / 2_000;
  } finally {
    await client.close();
    await server.stop();
  }
}

function startAgentProcess({ address, key }: ServerProcess, n: number): ChildProcess {
  return fork(path.join(import.meta.dirname, 'http-agent.ts'), [`http-agent-${n}`, `${CONCURRENCY}`], {
    env: { PATH: process.env.PATH, COLMEIA_ADDRESS: address, COLMEIA_KEY: key },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
}

async function stopAgentProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(late);
}

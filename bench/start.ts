// From the start of the process until /ready says that it is; and what it takes when nothing happens. Embedded database.
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { chainDecision, nextPlanId } from './chain-decision.ts';
import { HttpClient, watchEndsOverHttp } from './http-client.ts';
import { temporaryFolder } from './places.ts';
import type { BenchContext } from './row.ts';
import { startServer, type ServerProcess } from './server-process.ts';
import { median, rounded } from './statistics.ts';
import { HttpAgentTransport } from '../src/execution/agents/http-agent-transport.ts';
import { runAgent } from '../src/agent.ts';
import { randomBytes } from 'node:crypto';

const ROUNDS = 3;
const WRITTEN_BYTES = 200e6;
const RESULT_BYTES = 100_000;
const CLIENTS = 20;
const WRITE_DEADLINE_MS = 120_000;
const SETTLE_MS = 3_000;
const IDLE_MS = 30_000;

export async function bench({ say, add }: BenchContext): Promise<void> {
  const first: number[] = [];
  const again: number[] = [];
  const crashed: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const home = temporaryFolder('home');
    try {
      const server = await startServer(home);
      first.push(server.readyMs);
      if (round === 1) {
        await sleep(SETTLE_MS);
        add({
          work: 'idle memory after the first start',
          value: rounded(server.rssMb()),
          unit: 'MB',
          target: '<= 250',
        });
      }
      await server.stop();
      for (let n = 0; n < 2; n++) {
        const restarted = await startServer(home);
        again.push(restarted.readyMs);
        if (round === 1 && n === 0) await measureIdle(restarted, add);
        await restarted.stop();
      }
      const loaded = await startServer(home);
      const plans = await writeMuch(loaded);
      await loaded.kill9();
      const recovered = await startServer(home);
      crashed.push(recovered.readyMs);
      await recovered.stop();
      say(
        `  round ${round}: first ${first.at(-1)!.toFixed(0)} ms, again ${again.at(-1)!.toFixed(0)} ms, after kill -9 and ${plans} plans ${crashed.at(-1)!.toFixed(0)} ms`,
      );
    } finally {
      fs.rmSync(home, { recursive: true, force: true });
    }
  }
  const seconds = (values: number[]): number => rounded(median(values) / 1_000);
  add({ work: 'first start, empty home', value: seconds(first), unit: 's', target: '<= 2.5' });
  add({ work: 'restart', value: seconds(again), unit: 's', target: '<= 0.9' });
  add({ work: 'restart after kill -9 with 200 MB written', value: seconds(crashed), unit: 's', target: '<= 1.5' });
}

async function measureIdle(server: ServerProcess, add: BenchContext['add']): Promise<void> {
  await sleep(SETTLE_MS);
  add({ work: 'idle memory after a restart', value: rounded(server.rssMb()), unit: 'MB', target: '<= 250' });
  const before = server.cpuSeconds();
  await sleep(IDLE_MS);
  const share = (100 * (server.cpuSeconds() - before)) / (IDLE_MS / 1_000);
  add({ work: `idle CPU over ${IDLE_MS / 1_000} s`, value: rounded(share), unit: '% of a core', target: '<= 0.3' });
  add({ work: 'idle memory then', value: rounded(server.rssMb()), unit: 'MB', target: null });
}

/** Chains with results of 100 KB, 200 MB of them; some are open when this returns. */
async function writeMuch(server: ServerProcess): Promise<number> {
  const client = new HttpClient(server.address, server.key);
  const enough = Promise.withResolvers<void>();
  let isEnough = false;
  let written = 0;
  const agent = runAgent({
    agentId: 'writer',
    taskTypes: ['QUERY'],
    concurrency: CLIENTS,
    transport: new HttpAgentTransport({ home: server.home, address: server.address, key: server.key }),
    handler: () => {
      written += RESULT_BYTES;
      isEnough ||= written >= WRITTEN_BYTES;
      if (isEnough) enough.resolve();
      return { data: randomBytes((RESULT_BYTES * 3) / 4).toString('base64') };
    },
    handleSignals: false,
    log: () => {},
  });
  const ended = await watchEndsOverHttp(client);
  const until = performance.now() + WRITE_DEADLINE_MS;
  let plans = 0;
  const submitter = async (): Promise<void> => {
    while (!isEnough && performance.now() < until) {
      const planId = nextPlanId();
      const end = ended(planId);
      await client.must('POST', '/api/v1/decisions', chainDecision(planId));
      await Promise.race([end, enough.promise]);
      plans++;
    }
  };
  try {
    await Promise.all(Array.from({ length: CLIENTS }, submitter));
    if (!isEnough) throw new Error(`only ${written / 1e6} MB were written in time`);
    return plans;
  } finally {
    void agent.stop(0).catch(() => {}); // its server is about to die
    await client.close();
  }
}

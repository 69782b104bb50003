// A `process` agent that runs echo: from the call that submits until the plan has ended. Control plane and caller in one process.
// Baseline: a bare spawn of echo from the same process.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { parseAgentConfig, startConfiguredAgents } from '../src/execution/agents/configured-agents.ts';
import { createColmeia, LOCAL_OPERATOR, localTransport } from '../src/index.ts';
import { chainDecision, nextPlanId } from './chain-decision.ts';
import { watchEnds } from './chain-load.ts';
import { Places, temporaryFolder, type PlaceKind, UNCAPPED } from './places.ts';
import type { BenchContext } from './row.ts';
import { median, quantile, rounded } from './statistics.ts';

const RUNS = 40;
const WARM_UP = 8;
const ISOLATIONS = ['files', 'processes', 'none'] as const;

export async function bench({ say, add }: BenchContext): Promise<void> {
  const places = new Places();
  try {
    for (const kind of ['postgres', 'embedded'] as const)
      for (const isolate of ISOLATIONS) {
        const { waits, bare } = await measure(places, kind, isolate, say);
        add({
          work: `${kind}, echo by a process agent, isolate "${isolate}", p50`,
          value: rounded(median(waits)),
          unit: 'ms',
          target: '<= 50',
          baseline: rounded(median(bare)),
        });
        if (isolate === 'files')
          add({ work: `${kind}, the same, p95`, value: rounded(quantile(waits, 0.95)), unit: 'ms', target: null });
      }
  } finally {
    await places.close();
  }
}

async function measure(
  places: Places,
  kind: PlaceKind,
  isolate: (typeof ISOLATIONS)[number],
  say: BenchContext['say'],
) {
  const place = await places.fresh(kind);
  const home = temporaryFolder('home');
  const colmeia = await createColmeia({ ...place, maxParallelTickets: UNCAPPED });
  const agent = {
    agent_id: 'echo',
    kind: 'process',
    task_types: ['EXECUTE'],
    isolate,
    commands: { default: ['echo', 'hello'] },
  };
  const agents = await startConfiguredAgents({
    config: parseAgentConfig([agent], home),
    transport: localTransport(colmeia),
    home,
    log: (level, message) => void (level !== 'info' && say(`  ${message}`)),
  });
  try {
    const ends = await watchEnds(colmeia);
    const waits: number[] = [];
    const bare: number[] = [];
    for (let n = 0; n < RUNS + WARM_UP; n++) {
      bare.push(await timed(bareEcho));
      waits.push(
        await timed(async () => {
          const planId = nextPlanId();
          const ended = ends.of(planId);
          await colmeia.decisions.submit(LOCAL_OPERATOR, chainDecision(planId, { tasks: 1, taskType: 'EXECUTE' }));
          await ended;
        }),
      );
    }
    ends.stop();
    return { waits: waits.slice(WARM_UP), bare: bare.slice(WARM_UP) };
  } finally {
    await agents.stop();
    await colmeia.close();
    await place.remove();
    fs.rmSync(home, { recursive: true, force: true });
  }
}

function bareEcho(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('echo', ['hello'], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.resume();
    child.once('error', reject);
    child.once('close', () => resolve());
  });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

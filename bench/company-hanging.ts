// One company's database takes connections and never answers, while callers ask for it all the time. What the others notice:
// their decisions, and reads of their own databases. Baseline: the same in turns while the callers ask for a company that answers.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createColmeia, LOCAL_OPERATOR, type Colmeia } from '../src/index.ts';
import { chainDecision, nextPlanId } from './chain-decision.ts';
import { startLocalAgents } from './chain-load.ts';
import { Places, temporaryFolder } from './places.ts';
import type { BenchContext } from './row.ts';
import { quantile, rounded } from './statistics.ts';

const OTHERS = 4;
const TURNS = 6;
const CALLS = 150;
/** Callers that wait for one other company at any time. */
const CALLERS = 10;
const HANGING = 'hanging';
const WELL = 'well';

type Samples = { decisions: number[]; reads: number[] };

export async function bench({ say, add }: BenchContext): Promise<void> {
  const places = new Places();
  const dead = net.createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1');
  await new Promise((resolve) => dead.once('listening', resolve));
  const { port } = dead.address() as net.AddressInfo;
  try {
    for (const kind of ['postgres', 'embedded'] as const) {
      const place = await places.fresh(kind);
      const home = temporaryFolder('hanging');
      const instancesFolder = path.join(home, 'instances');
      const colmeia = await createColmeia({
        ...place,
        instancesFolder,
        secretsKeyFile: path.join(home, 'secrets.key'),
        accounts: { privateAddresses: true },
      });
      try {
        const names = Array.from({ length: OTHERS }, (_, n) => `other-${n}`);
        for (const name of [...names, WELL, HANGING]) await found(colmeia, name);
        const file = path.join(instancesFolder, HANGING, 'config.json');
        const config = JSON.parse(fs.readFileSync(file, 'utf8')) as object;
        fs.writeFileSync(file, JSON.stringify({ ...config, database: { url: 'secret:database_url' } }));
        const value = `postgresql://nobody:nothing@127.0.0.1:${port}/none`;
        await colmeia.secrets.set(LOCAL_OPERATOR, { instance: HANGING, secret: 'database_url' }, { value });
        const agents = startLocalAgents(colmeia); // so that nothing piles up
        const { alone, beside } = await measure(colmeia, names);
        await Promise.all(agents.map((agent) => agent.stop(1_000)));
        for (const [what, of] of [
          ['decisions', 'decisions'],
          ['reads of their own databases', 'reads'],
        ] as const) {
          const [was, is] = [quantile(alone[of], 0.95), quantile(beside[of], 0.95)];
          say(
            `  ${kind}, ${what}: p95 ${rounded(was)} ms beside one that answers, ${rounded(is)} ms beside one that hangs; p50 ${rounded(quantile(alone[of], 0.5))}, ${rounded(quantile(beside[of], 0.5))}`,
          );
          const work = `${kind}, p95 of others' ${what} while one company hangs, by p95 while it answers`;
          add({ work, value: rounded(is / was), unit: 'x', target: '<= 1.1' });
        }
      } finally {
        await colmeia.close();
        await place.remove();
        fs.rmSync(home, { recursive: true, force: true });
      }
    }
  } finally {
    dead.close();
    await places.close();
  }
}

async function found(colmeia: Colmeia, name: string): Promise<void> {
  await colmeia.instances.create(LOCAL_OPERATOR, { name, strategy: 'hybrid' });
  let view = await colmeia.instances.init(LOCAL_OPERATOR, name);
  while (view.state === 'running')
    view = await colmeia.instances.operation(LOCAL_OPERATOR, view.id, { after_rev: view.rev, wait_ms: 60_000 });
  if (view.state !== 'completed') throw new Error(`init ${view.state}: ${JSON.stringify(view.error)}`);
}

/** In turns, so that what else the machine does falls on both. */
async function measure(colmeia: Colmeia, names: readonly string[]): Promise<{ alone: Samples; beside: Samples }> {
  const alone: Samples = { decisions: [], reads: [] };
  const beside: Samples = { decisions: [], reads: [] };
  await sample(colmeia, names, { decisions: [], reads: [] }); // warm-up
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [asked, into] of [[WELL, alone] as const, [HANGING, beside] as const]) {
      const pressure = press(colmeia, asked);
      await sleep(300);
      await sample(colmeia, names, into);
      await pressure.stop();
    }
  }
  return { alone, beside };
}

async function sample(colmeia: Colmeia, names: readonly string[], into: Samples): Promise<void> {
  for (let n = 0; n < CALLS; n++) {
    const company = names[n % names.length]!;
    const decision = chainDecision(nextPlanId(), { company, tasks: 1 });
    const from = performance.now();
    await colmeia.decisions.submit(LOCAL_OPERATOR, decision);
    const submitted = performance.now();
    await colmeia.instances.stats(LOCAL_OPERATOR, company);
    into.decisions.push(submitted - from);
    into.reads.push(performance.now() - submitted);
  }
}

/** Callers that want the database of one company; each waits for its answer, or that there is none, before it asks again. */
function press(colmeia: Colmeia, asked: string): { stop(): Promise<void> } {
  let isOver = false;
  const callers = Array.from({ length: CALLERS }, async () => {
    while (!isOver) {
      await colmeia.instances.stats(LOCAL_OPERATOR, asked).catch(() => null);
      await sleep(50);
    }
  });
  return {
    async stop() {
      isOver = true;
      await Promise.all(callers);
    },
  };
}

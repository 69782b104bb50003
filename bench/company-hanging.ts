// One company's database takes connections and never answers, while callers ask for it at a fixed pace. What the others notice:
// their decisions, and reads of their own databases. Beside it in turns: the same callers at a company that answers, and none.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createColmeia, LOCAL_OPERATOR, type Colmeia } from '../src/index.ts';
import { chainDecision, nextPlanId } from './chain-decision.ts';
import { startLocalAgents } from './chain-load.ts';
import { Places, temporaryFolder } from './places.ts';
import { profiled } from './profile.ts';
import type { BenchContext } from './row.ts';
import { quantile, rounded } from './statistics.ts';

const OTHERS = 4;
const TURNS = 6;
const CALLS = 150;
/** Callers of one other company, and how often each of them asks, whether it was answered or not. */
const CALLERS = 10;
const PACE_MS = 100;
const HANGING = 'hanging';
const WELL = 'well';

type Samples = { decisions: number[]; reads: number[] };
type Turns = { hanging: Samples; well: Samples; none: Samples };
const OF = [
  ['decisions', 'decisions'],
  ['reads', 'reads of their own databases'],
] as const;

export async function bench({ say, add, profile }: BenchContext): Promise<void> {
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
        const turns = await (profile
          ? profiled(`hanging-${kind}`, say, () => measure(colmeia, names))
          : measure(colmeia, names));
        await Promise.all(agents.map((agent) => agent.stop(1_000)));
        for (const [of, what] of OF) {
          const at = (of_: Samples, share: number): number => quantile(of_[of], share);
          const shown = (samples: Samples): string =>
            `${rounded(at(samples, 0.95))} ms (p50 ${rounded(at(samples, 0.5))})`;
          say(
            `  ${kind}, ${what}, p95 beside one that hangs ${shown(turns.hanging)}, that answers ${shown(turns.well)}, none ${shown(turns.none)}`,
          );
          const hanging = at(turns.hanging, 0.95);
          const work = `${kind}, p95 of others' ${what} while callers ask for a company that hangs, by p95`;
          add({
            work: `${work} while it answers`,
            value: rounded(hanging / at(turns.well, 0.95)),
            unit: 'x',
            target: '<= 1.1',
          });
          add({
            work: `${work} without them`,
            value: rounded(hanging / at(turns.none, 0.95)),
            unit: 'x',
            target: '<= 1.1',
          });
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

/** In turns, so that what else the machine does falls on all. */
async function measure(colmeia: Colmeia, names: readonly string[]): Promise<Turns> {
  const empty = (): Samples => ({ decisions: [], reads: [] });
  const turns: Turns = { hanging: empty(), well: empty(), none: empty() };
  await sample(colmeia, names, empty()); // warm-up
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [asked, into] of [
      [null, turns.none] as const,
      [WELL, turns.well] as const,
      [HANGING, turns.hanging] as const,
    ]) {
      const callers = asked === null ? null : press(colmeia, asked);
      await sleep(300);
      await sample(colmeia, names, into);
      await callers?.stop();
    }
  }
  return turns;
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

/** Callers that want the database of one company, evenly spread; none waits for its answer before it asks again. */
function press(colmeia: Colmeia, asked: string): { stop(): Promise<void> } {
  const asking = new Set<Promise<unknown>>();
  const timer = setInterval(() => {
    const call = colmeia.instances.stats(LOCAL_OPERATOR, asked).catch(() => null);
    asking.add(call);
    void call.finally(() => asking.delete(call));
  }, PACE_MS / CALLERS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(asking);
    },
  };
}

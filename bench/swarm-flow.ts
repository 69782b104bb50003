// What the swarm costs the durable flow: the load of bench/flow.ts at 50 clients, by turns with the swarm and with a
// scheduler that learns and forecasts nothing (the baseline), each on a store of its own, a short turn of each at a time.
import { createColmeia, createPlainColmeia } from '../src/create-colmeia.ts';
import type { Colmeia } from '../src/colmeia.ts';
import { createCompanies, startChainLoad, type Load } from './chain-load.ts';
import { Places, UNCAPPED, type Place, type PlaceKind } from './places.ts';
import { profiled } from './profile.ts';
import type { BenchContext } from './row.ts';
import { median, rounded } from './statistics.ts';

const TURNS = 15;
const TURN_MS = 1_000;
const WARM_UP_MS = 1_500;
const CLIENTS = 50;
const COMPANIES = 20;
const STEPS = 5;

type Side = { place: Place; colmeia: Colmeia; load: Load };

export async function bench(context: BenchContext): Promise<void> {
  const places = new Places();
  try {
    for (const kind of ['postgres', 'embedded'] as const) await compare(places, kind, context);
  } finally {
    await places.close();
  }
}

async function compare(places: Places, kind: PlaceKind, { say, add, profile }: BenchContext): Promise<void> {
  const swarm = await start(await places.fresh(kind), createColmeia);
  const plain = await start(await places.fresh(kind), createPlainColmeia);
  const turns: { swarm: number; plain: number }[] = [];
  try {
    for (const { load } of [swarm, plain]) await load.run(CLIENTS, WARM_UP_MS);
    // Who goes first changes, so that a machine that gets slower harms both alike.
    for (let turn = 0; turn < TURNS; turn++) {
      const first = turn % 2 === 0 ? swarm : plain;
      const one = await stepsPerSecond(first);
      const two = await stepsPerSecond(first === swarm ? plain : swarm);
      turns.push(first === swarm ? { swarm: one, plain: two } : { swarm: two, plain: one });
    }
    if (profile) await profiled(`swarm-flow-${kind}`, say, () => stepsPerSecond(swarm));
  } finally {
    for (const side of [swarm, plain]) await end(side);
  }
  const work = `${kind}, ${CLIENTS} clients, 5-step chains`;
  const of = (pick: (turn: (typeof turns)[number]) => number): number => rounded(median(turns.map(pick)));
  add({
    work: `${work}, with the swarm`,
    value: of((turn) => turn.swarm),
    unit: 'steps/s',
    target: null,
    baseline: of((turn) => turn.plain),
  });
  const share = median(turns.map((turn) => turn.swarm / turn.plain));
  add({ work: `${work}, of what it is without`, value: Number(share.toFixed(3)), unit: '×', target: '>= 0.9' });
}

async function start(place: Place, create: typeof createColmeia): Promise<Side> {
  const colmeia = await create({ ...place, maxParallelTickets: UNCAPPED });
  return { place, colmeia, load: await startChainLoad(colmeia, await createCompanies(colmeia, COMPANIES)) };
}

async function end({ place, colmeia, load }: Side): Promise<void> {
  await load.stop();
  await colmeia.close();
  await place.remove();
}

async function stepsPerSecond({ load }: Side): Promise<number> {
  const { workflows, seconds } = await load.run(CLIENTS, TURN_MS);
  return (STEPS * workflows) / seconds;
}

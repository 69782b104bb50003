// Chains of 5 steps, agents and clients in the process of the control plane, 20 companies, every commit on disk.
// Baseline: the same number of rows inserted in commits of the same size by a bare loop over the same kind of store.
import { createColmeia } from '../src/index.ts';
import { bareInserts } from './bare-inserts.ts';
import { createCompanies, startChainLoad } from './chain-load.ts';
import { Places, type PlaceKind, UNCAPPED } from './places.ts';
import { profiled } from './profile.ts';
import type { BenchContext } from './row.ts';
import { median, quantile, rounded } from './statistics.ts';

const ROUNDS = 3;
const MEASURE_MS = 3_000;
const WARM_UP_MS = 1_500;
const CLIENTS = [1, 50, 200];
const STEPS = 5;
const TARGETS: Record<PlaceKind, { steps: number; overheadMs: number }> = {
  postgres: { steps: 12_000, overheadMs: 1 },
  embedded: { steps: 9_000, overheadMs: 1.5 },
};

type Figures = { stepsPerSecond: number; p50: number; p99: number };
type Round = { at: Map<number, Figures>; bareSteps: number };

export async function bench(context: BenchContext): Promise<void> {
  const places = new Places();
  const kinds: PlaceKind[] = ['postgres', 'embedded'];
  const rounds = new Map<PlaceKind, Round[]>(kinds.map((kind) => [kind, []]));
  try {
    for (let n = 0; n < (context.profile ? 1 : ROUNDS); n++) {
      for (const kind of kinds) {
        const round = await runRound(places, kind, context);
        rounds.get(kind)!.push(round);
        const shown = [...round.at].map(([clients, { stepsPerSecond }]) => `${clients}: ${stepsPerSecond.toFixed(0)}`);
        context.say(`  ${kind}, round ${n + 1}: steps/s ${shown.join(', ')}; bare ${round.bareSteps.toFixed(0)}`);
      }
    }
  } finally {
    await places.close();
  }
  for (const kind of kinds) report(kind, rounds.get(kind)!, context);
}

async function runRound(places: Places, kind: PlaceKind, { profile, say }: BenchContext): Promise<Round> {
  const place = await places.fresh(kind);
  const colmeia = await createColmeia({ ...place, maxParallelTickets: UNCAPPED });
  const at = new Map<number, Figures>();
  let perCommit = 0;
  let rowsPerStep = 0;
  try {
    const load = await startChainLoad(colmeia, await createCompanies(colmeia, 20));
    await load.run(50, WARM_UP_MS);
    for (const clients of CLIENTS) {
      const before = await countersOf(colmeia);
      const measure = () => load.run(clients, MEASURE_MS);
      const isProfiled = profile && clients === 50;
      const ran = await (isProfiled ? profiled(`flow-${kind}`, say, measure) : measure());
      at.set(clients, {
        stepsPerSecond: (STEPS * ran.workflows) / ran.seconds,
        p50: quantile(ran.latencies, 0.5),
        p99: quantile(ran.latencies, 0.99),
      });
      if (clients !== 50) continue;
      const after = await countersOf(colmeia);
      const flushes = after.flushes - before.flushes;
      // A plan, its tickets, and about one row of the journal for each company in each commit.
      const rows = ran.workflows * (1 + STEPS) + Math.min(20, (ran.workflows * (STEPS + 1)) / flushes) * flushes;
      perCommit = rows / flushes;
      rowsPerStep = rows / (ran.workflows * STEPS);
      say(
        `  ${kind}: ${(flushes / ran.seconds).toFixed(0)} commits/s of ${perCommit.toFixed(0)} rows, ${(((after.flushSeconds - before.flushSeconds) * 1_000) / flushes).toFixed(2)} ms in the database each`,
      );
    }
    await load.stop();
  } finally {
    await colmeia.close();
    await place.remove();
  }
  const bare = await places.fresh(kind);
  try {
    return { at, bareSteps: (await bareInserts(bare, Math.round(perCommit), MEASURE_MS)) / rowsPerStep };
  } finally {
    await bare.remove();
  }
}

/** Commits so far and the time the database took for them, out of the metrics. */
export async function countersOf(colmeia: {
  metrics(): Promise<{ text: string }>;
}): Promise<{ flushes: number; flushSeconds: number }> {
  const { text } = await colmeia.metrics();
  const value = (name: RegExp): number => Number(name.exec(text)?.[1] ?? Number.NaN);
  return { flushes: value(/^\w*flush\w*_count (\S+)/m), flushSeconds: value(/^\w*flush\w*_sum (\S+)/m) };
}

function report(kind: PlaceKind, rounds: readonly Round[], { add }: BenchContext): void {
  const { steps, overheadMs } = TARGETS[kind];
  const baseline = rounded(median(rounds.map(({ bareSteps }) => bareSteps)));
  for (const clients of CLIENTS) {
    const of = (pick: (figures: Figures) => number): number =>
      rounded(median(rounds.map(({ at }) => pick(at.get(clients)!))));
    const work = `${kind}, ${clients} client${clients === 1 ? '' : 's'}`;
    const target = clients === 50 ? `>= ${steps}` : null;
    add({ work: `${work}, 5-step chains`, value: of((f) => f.stepsPerSecond), unit: 'steps/s', target, baseline });
    add({ work: `${work}, workflow p50`, value: of((f) => f.p50), unit: 'ms', target: null });
    add({ work: `${work}, workflow p99`, value: of((f) => f.p99), unit: 'ms', target: null });
    if (clients === 1)
      add({
        work: `${work}, overhead of a step p50`,
        value: of((f) => f.p50 / STEPS),
        unit: 'ms',
        target: `<= ${overheadMs}`,
      });
  }
}

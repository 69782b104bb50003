// 1,000 companies that submit one 5-step plan each at the same moment. Baseline: the same plans spread over 20 companies.
import { createColmeia, LOCAL_OPERATOR, type Colmeia } from '../src/index.ts';
import { chainDecision, nextPlanId } from './chain-decision.ts';
import { startLocalAgents, watchEnds } from './chain-load.ts';
import { Places, type PlaceKind, UNCAPPED } from './places.ts';
import { profiled } from './profile.ts';
import type { BenchContext } from './row.ts';
import { median, rounded } from './statistics.ts';

const COMPANIES = 1_000;
const FEW = 20;
const STEPS = 5;
const WAVES = 3;
/** Companies made at a time. */
const CHUNK = 50;

export async function bench({ say, add, profile }: BenchContext): Promise<void> {
  const places = new Places();
  try {
    for (const kind of ['postgres', 'embedded'] as const) {
      const { many, few } = await measure(places, kind, say, profile);
      const value = rounded(median(many));
      add({
        work: `${kind}, ${COMPANIES} companies, one plan each at once`,
        value,
        unit: 'steps/s',
        target: '>= 4000',
        baseline: rounded(median(few)),
      });
    }
  } finally {
    await places.close();
  }
}

async function measure(places: Places, kind: PlaceKind, say: BenchContext['say'], profile: boolean) {
  const place = await places.fresh(kind);
  const colmeia = await createColmeia({ ...place, maxParallelTickets: UNCAPPED });
  const agents = startLocalAgents(colmeia);
  try {
    const names = Array.from({ length: COMPANIES }, (_, n) => `company-${n}`);
    const from = performance.now();
    for (let n = 0; n < COMPANIES; n += CHUNK)
      await Promise.all(names.slice(n, n + CHUNK).map((name) => colmeia.instances.create(LOCAL_OPERATOR, { name })));
    say(`  ${kind}: ${COMPANIES} companies made in ${((performance.now() - from) / 1_000).toFixed(1)} s`);
    const ends = await watchEnds(colmeia);
    const wave = (over: number) => runWave(colmeia, ends, names.slice(0, over));
    await wave(COMPANIES); // warm-up
    const many: number[] = [];
    const few: number[] = [];
    for (let n = 0; n < WAVES; n++) {
      many.push(
        await (profile && n === 0 ? profiled(`companies-${kind}`, say, () => wave(COMPANIES)) : wave(COMPANIES)),
      );
      few.push(await wave(FEW));
      say(
        `  ${kind}, wave ${n + 1}: ${many.at(-1)!.toFixed(0)} steps/s; over ${FEW} companies ${few.at(-1)!.toFixed(0)}`,
      );
    }
    ends.stop();
    return { many, few };
  } finally {
    await Promise.all(agents.map((agent) => agent.stop(1_000)));
    await colmeia.close();
    await place.remove();
  }
}

/** Steps per second from the first submission to the last end. */
async function runWave(
  colmeia: Colmeia,
  ends: { of(planId: string): Promise<void> },
  names: readonly string[],
): Promise<number> {
  const decisions = Array.from({ length: COMPANIES }, (_, n) => {
    const planId = nextPlanId();
    return { planId, decision: chainDecision(planId, { company: names[n % names.length], tasks: STEPS }) };
  });
  const from = performance.now();
  await Promise.all(
    decisions.map(async ({ planId, decision }) => {
      const ended = ends.of(planId);
      await colmeia.decisions.submit(LOCAL_OPERATOR, decision);
      await ended;
    }),
  );
  return (COMPANIES * STEPS * 1_000) / (performance.now() - from);
}

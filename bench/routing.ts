// Routing under drift (drift-scenario.ts): who gets a call when agents differ, get worse and recover. Regret per call as a
// ratio to round-robin in the same run, and failures after a drift. The policy under test is what production does: the least
// cost of the preset `adaptive` by what Trails believe of each agent, drawn (low-risk work) or not (all other work).
// "The best three" can be the best by success probability or by utility; both are run.
import { OUTLIER_SETTINGS, OutlierEjection } from '../src/execution/scheduling/models/outlier-ejection.ts';
import { drawBeta, drawNormal } from '../src/execution/scheduling/models/draws.ts';
import { Trails } from '../src/execution/scheduling/models/trails.ts';
import { policyOf } from '../src/execution/scheduling/policy.ts';
import { defaultsOf } from '../src/execution/scheduling/setting.ts';
import { AGENTS, drift, TYPES, type Best, type DriftFigures, type MakeRouter } from './drift-scenario.ts';
import { ratioOf, type BenchContext } from './row.ts';
import { rounded } from './statistics.ts';

const SEEDS = 20;
/** Of the scenario's time; only the half-life in hours knows it. */
const CALL_MS = 1_000;
const AGENT_KEYS = Array.from({ length: AGENTS }, (_, n) => `agent-${n}`);
const TYPE_KEYS = Array.from({ length: TYPES }, (_, n) => `type-${n}`);

const BASELINES: Record<string, MakeRouter> = {
  'outlier ejection': outlierEjection,
  'epsilon-greedy': (random) => greedy(random, 0.97, 0.05),
  'Thompson, discount .99': (random) => thompson(random, 0.99),
  'Thompson, discount .97': (random) => thompson(random, 0.97),
};

export function bench({ say, add }: BenchContext): void {
  for (const best of ['success', 'utility'] as const) {
    const turns = mean(roundRobin, best);
    say(
      `  the best three by ${best}; round-robin: regret ${turns.regret.toFixed(4)} a call; failures after they got worse`,
    );
    say(`    of a router that knows every utility: ${percent(turns.oracleWorseFailures)} %`);
    for (const [name, make] of Object.entries(BASELINES)) sayFigures(say, name, mean(make, best), turns);
    const still = mean(() => trails(null), best);
    sayFigures(say, 'trails without draws', still, turns);
    const drawn = mean((random) => trails(random), best);
    sayFigures(say, 'trails', drawn, turns);
    const work = `routing under drift, best by ${best}`;
    add({
      work: `${work}: regret per call ÷ round-robin`,
      value: ratioOf(drawn.regret, turns.regret),
      unit: '×',
      target: '<= 0.11',
    });
    add({
      work: `${work}: without draws`,
      value: ratioOf(still.regret, turns.regret),
      unit: '×',
      target: null,
    });
    add({
      work: `${work}: failures in 2,000 calls after it`,
      value: percent(drawn.worseFailures),
      unit: '%',
      target: '<= 15',
      baseline: percent(turns.worseFailures),
    });
    add({
      work: `${work}: failures in 2,000 calls after recovery`,
      value: percent(drawn.recoveredFailures),
      unit: '%',
      target: '<= 15',
      baseline: percent(turns.recoveredFailures),
    });
  }
}

function sayFigures(say: BenchContext['say'], name: string, figures: DriftFigures, turns: DriftFigures): void {
  const ratio = (figures.regret / turns.regret).toFixed(3);
  say(
    `    ${name.padEnd(24)} regret ${figures.regret.toFixed(4)}  ${ratio} x  failures ${percent(figures.worseFailures)} %, ` +
      `after recovery ${percent(figures.recoveredFailures)} %`,
  );
}

function mean(make: MakeRouter, best: Best): DriftFigures {
  const runs = Array.from({ length: SEEDS }, (_, n) => drift(make, n + 1, best));
  const of = (pick: (figures: DriftFigures) => number): number =>
    runs.reduce((sum, figures) => sum + pick(figures), 0) / SEEDS;
  return {
    regret: of((f) => f.regret),
    worseFailures: of((f) => f.worseFailures),
    recoveredFailures: of((f) => f.recoveredFailures),
    oracleWorseFailures: of((f) => f.oracleWorseFailures),
    oracleRecoveredFailures: of((f) => f.oracleRecoveredFailures),
  };
}

const percent = (share: number): number => rounded(share * 100);

/** `random` null = no draws. */
function trails(random: (() => number) | null): ReturnType<MakeRouter> {
  const learned = new Trails();
  const { finish = 0, trail = 0 } = policyOf('adaptive').scores;
  return {
    pick(type, call) {
      const now = call * CALL_MS;
      return least((agent) => {
        const [typeKey, agentKey] = [TYPE_KEYS[type]!, AGENT_KEYS[agent]!];
        const { factor, success } =
          random === null
            ? { factor: learned.factor(typeKey, agentKey, now), success: learned.success(typeKey, agentKey, now) }
            : learned.sample(typeKey, agentKey, now, random);
        return (finish * factor + trail * (1 - success)) / success;
      });
    },
    learn({ type, agent, ok, latency, call }) {
      learned.observe({
        at: call * CALL_MS,
        type: TYPE_KEYS[type]!,
        agent: AGENT_KEYS[agent]!,
        ok,
        logRatio: Math.log(latency),
      });
    },
  };
}

function roundRobin(): ReturnType<MakeRouter> {
  let turn = 0;
  return { pick: () => turn++ % AGENTS, learn: () => undefined };
}

/** Round-robin over those that are not ejected. */
function outlierEjection(): ReturnType<MakeRouter> {
  const ejection = new OutlierEjection(defaultsOf(OUTLIER_SETTINGS));
  let turn = 0;
  return {
    pick(type, call) {
      for (let tried = 0; tried < AGENTS; tried++) {
        const agent = turn++ % AGENTS;
        if (ejection.ejectedUntil(TYPE_KEYS[type]!, AGENT_KEYS[agent]!, call * CALL_MS) === 0) return agent;
      }
      return turn % AGENTS;
    },
    learn({ type, agent, ok, call }) {
      ejection.observe({ at: call * CALL_MS, type: TYPE_KEYS[type]!, agent: AGENT_KEYS[agent]!, ok });
    },
  };
}

/** Discounted means; one call in twenty goes anywhere. */
function greedy(random: () => number, discount: number, epsilon: number): ReturnType<MakeRouter> {
  const counts = new Counts(discount);
  return {
    pick: (type) =>
      random() < epsilon
        ? Math.floor(random() * AGENTS)
        : least((agent) => {
            const { good, bad, log, weight } = counts.of(type, agent);
            return -((good + 1) / (good + bad + 1)) / (1 + Math.exp(log / (weight + 1)));
          }),
    learn: (outcome) => counts.add(outcome),
  };
}

function thompson(random: () => number, discount: number): ReturnType<MakeRouter> {
  const counts = new Counts(discount);
  return {
    pick: (type) =>
      least((agent) => {
        const { good, bad, log, weight } = counts.of(type, agent);
        const spread = 0.5 / Math.sqrt(weight + 1);
        const latency = Math.exp(log / (weight + 1) + spread * drawNormal(random));
        return -drawBeta(good + 1, bad + 1, random) / (1 + latency);
      }),
    learn: (outcome) => counts.add(outcome),
  };
}

type Count = { good: number; bad: number; log: number; weight: number };

/** Of each agent and type, discounted with each of its own calls. */
class Counts {
  readonly #counts = Array.from({ length: TYPES }, () =>
    Array.from({ length: AGENTS }, (): Count => ({ good: 0, bad: 0, log: 0, weight: 0 })),
  );
  readonly #discount: number;

  constructor(discount: number) {
    this.#discount = discount;
  }

  of(type: number, agent: number): Count {
    return this.#counts[type]![agent]!;
  }

  add({ type, agent, ok, latency }: { type: number; agent: number; ok: boolean; latency: number }): void {
    const count = this.of(type, agent);
    count.good = count.good * this.#discount + Number(ok);
    count.bad = count.bad * this.#discount + Number(!ok);
    count.log = count.log * this.#discount + Math.log(latency);
    count.weight = count.weight * this.#discount + 1;
  }
}

function least(cost: (agent: number) => number): number {
  let best = 0;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let agent = 0; agent < AGENTS; agent++) {
    const one = cost(agent);
    if (one < bestCost) [best, bestCost] = [agent, one];
  }
  return best;
}

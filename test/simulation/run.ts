import { parseArgs } from 'node:util';
import { PLANTED_BUGS } from './planted-bugs.ts';
import { simulate } from './simulate.ts';

// node test/simulation/run.ts --seed N | --seeds N [--from N] [--bug <name>] [--keep-going]
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string' },
    bug: { type: 'string' },
    'keep-going': { type: 'boolean' },
  },
});
const from = Number(values.seed ?? values.from ?? 1);
const count = values.seed === undefined ? Number(values.seeds ?? 1_000) : 1;
const plant = values.bug === undefined ? {} : PLANTED_BUGS[values.bug];
if (plant === undefined || !Number.isInteger(from) || !Number.isInteger(count)) {
  console.error(
    `usage: run.ts --seed N | --seeds N [--from N] [--bug <${Object.keys(PLANTED_BUGS).join(' | ')}>] [--keep-going]`,
  );
  process.exit(2);
}

const begun = performance.now();
const ended: Record<string, number> = {};
let steps = 0;
let virtualMs = 0;
let broken = 0;
let copies = 0;
for (let seed = from; seed < from + count; seed++) {
  const outcome = await simulate(seed, plant);
  steps += outcome.steps;
  copies += outcome.copies;
  virtualMs += outcome.virtualMs;
  for (const [status, plans] of Object.entries(outcome.ended)) ended[status] = (ended[status] ?? 0) + plans;
  if (outcome.violation === null) continue;
  broken++;
  process.exitCode = 1;
  console.error(
    `seed ${seed}: ${outcome.violation}\n  again: node test/simulation/run.ts --seed ${seed}${values.bug ? ` --bug "${values.bug}"` : ''}`,
  );
  if (!values['keep-going']) break;
}
const seconds = (performance.now() - begun) / 1_000;
const plans = Object.entries(ended)
  .map(([status, n]) => `${n} ${status}`)
  .join(', ');
console.log(
  `${count} seeds, ${broken} broken, ${steps} steps, ${copies} copies, ${Math.round(virtualMs / 3.6e6)} virtual hours in ${seconds.toFixed(1)} s (${Math.round(count / seconds)} seeds/s); plans: ${plans}`,
);

import type { TicketSpec } from '../src/execution/plans/ticket.ts';
import { DurationModel } from '../src/execution/scheduling/models/duration-model.ts';
import { gauss, seededRandom } from '../src/execution/scheduling/simulation/seeded-random.ts';
import { simulatedSpec } from '../src/execution/scheduling/simulation/scenario.ts';
import type { RecordedWorkflow } from '../test/workflows/recorded-workflow.ts';
import { BLOCK, p90Row, percent, worstBlock } from './coverage.ts';
import type { BenchContext } from './row.ts';
import { median, rounded } from './statistics.ts';

type Task = { instance: string; spec: TicketSpec; durationMs: number };

const SECOND = 1_000;
/** Tasks that run at once: a result is known to the forecast only this much later. */
const RUNNING = 64;
const CALLS = 200_000;

/** Recorded durations as a stream, each forecast before it is learned, against the mean of its type so far. */
export function benchDurations(context: BenchContext, workflows: readonly RecordedWorkflow[]): void {
  const type = (name: string): TicketSpec => simulatedSpec(name);
  const program = (name: string): TicketSpec =>
    simulatedSpec('', { metadata: {}, parameters: { program: name, attempt: '1' } });
  replay(context, 'interleaved', interleaved(workflows, type), 0);
  replay(context, 'interleaved, 64 at once', interleaved(workflows, type), RUNNING);
  replay(context, 'shuffled', shuffled(workflows, type), 0);
  replay(
    context,
    'one after the other',
    workflows.flatMap((workflow) => tasksOf(workflow, type)),
    0,
  );
  replay(context, 'interleaved, type only as a parameter', interleaved(workflows, program), 0);
  replay(context, 'made: size and model as parameters', made(), 0);
  benchCalls(context);
}

function replay({ add }: BenchContext, name: string, tasks: readonly Task[], running: number): void {
  const model = new DurationModel();
  const means = new Map<string, { n: number; sum: number }>();
  const keyOf = ({ instance, spec }: Task): string => `${instance} ${spec.metadata.task_type}`;
  const errors: number[] = [];
  const plain: number[] = [];
  const kept: Record<number, boolean[]> = { 0.5: [], 0.9: [], 0.95: [] };
  const learn = (task: Task, n: number): void => {
    model.observe(task.spec, task.instance, n * SECOND, task.durationMs);
    const mean = means.get(keyOf(task)) ?? { n: 0, sum: 0 };
    means.set(keyOf(task), { n: mean.n + 1, sum: mean.sum + task.durationMs });
  };
  for (const [n, task] of tasks.entries()) {
    if (n >= running && running > 0) learn(tasks[n - running]!, n);
    const { instance, spec, durationMs } = task;
    for (const p of [0.5, 0.9, 0.95]) kept[p]!.push(durationMs <= model.upper(spec, instance, p));
    const mean = means.get(keyOf(task));
    errors.push(Math.abs(model.upper(spec, instance, 0.5) - durationMs) / durationMs);
    plain.push(Math.abs((mean === undefined ? 60_000 : mean.sum / mean.n) - durationMs) / durationMs);
    if (running === 0) learn(task, n);
  }
  const work = `durations, ${name} (${tasks.length})`;
  add({
    work: `${work}: median error, baseline mean of the type`,
    value: rounded(100 * median(errors)),
    unit: '%',
    target: null,
    baseline: rounded(100 * median(plain)),
  });
  add({ work: `${work}: p50 covers`, value: percent(kept[0.5]!), unit: '%', target: null });
  add({ work: `${work}: p90 covers`, ...p90Row(kept[0.9]!) });
  add({ work: `${work}: p90 in the worst ${BLOCK}`, value: worstBlock(kept[0.9]!), unit: '%', target: '>= 85' });
  add({ work: `${work}: p95 covers`, value: percent(kept[0.95]!), unit: '%', target: null });
}

const tasksOf = (workflow: RecordedWorkflow, specOf: (type: string) => TicketSpec): Task[] =>
  workflow.tasks.map(([type, seconds]) => ({
    instance: workflow.name,
    spec: specOf(workflow.types[type]!),
    durationMs: Math.max(1, seconds * 1_000),
  }));

/** All run at the same time: the next task comes from any of them, by what they have left. */
function interleaved(workflows: readonly RecordedWorkflow[], specOf: (type: string) => TicketSpec): Task[] {
  const random = seededRandom(1);
  const queues = workflows.map((workflow) => ({ tasks: tasksOf(workflow, specOf), next: 0 }));
  const all: Task[] = [];
  for (let left = queues.reduce((sum, { tasks }) => sum + tasks.length, 0); left > 0; left--) {
    let pick = Math.floor(random() * left);
    for (const queue of queues) {
      const own = queue.tasks.length - queue.next;
      if (pick < own) {
        all.push(queue.tasks[queue.next++]!);
        break;
      }
      pick -= own;
    }
  }
  return all;
}

function shuffled(workflows: readonly RecordedWorkflow[], specOf: (type: string) => TicketSpec): Task[] {
  const random = seededRandom(2);
  const all = workflows.flatMap((workflow) => tasksOf(workflow, specOf));
  for (let i = all.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [all[i], all[other]] = [all[other]!, all[i]!];
  }
  return all;
}

/** Not recorded: four types whose durations follow a size and a model, with noise of exp(.3·N); an id that says nothing. */
function made(): Task[] {
  const random = seededRandom(3);
  const models = ['small', 'medium', 'large'];
  return Array.from({ length: 5_000 }, (_, n) => {
    const type = Math.floor(random() * 4);
    const size = Math.ceil(Math.exp(6 + 1.2 * gauss(random)));
    const model = Math.floor(random() * 3);
    const seconds = (type + 1) * 0.02 * size ** 0.7 * 2.5 ** model * Math.exp(0.3 * gauss(random));
    const parameters = { id: `${n * 7919}`, size: `${size}`, model: models[model]! };
    return { instance: 'made', spec: simulatedSpec(`type-${type}`, { parameters }), durationMs: seconds * 1_000 };
  });
}

/** What a call costs beside one look-up in a map, which the scheduler would do at least. */
function benchCalls({ add }: BenchContext): void {
  const model = new DurationModel();
  const tasks = made();
  for (const [n, { spec, instance, durationMs }] of tasks.entries())
    model.observe(spec, instance, n * SECOND, durationMs);
  const map = new Map(tasks.map(({ spec }) => [`made\n${spec.metadata.task_type}`, 1]));
  let sum = 0;
  const perSecond = (call: (task: Task) => number): number => {
    const from = performance.now();
    for (let n = 0; n < CALLS; n++) sum += call(tasks[n % tasks.length]!);
    return rounded(CALLS / ((performance.now() - from) / 1_000));
  };
  for (const round of ['warm', 'measured']) {
    const look = perSecond(({ spec, instance }) => map.get(`${instance}\n${spec.metadata.task_type}`) ?? 0);
    const expect = perSecond(({ spec, instance }) => model.expect(spec, instance));
    const observe = perSecond(({ spec, instance, durationMs }) => {
      model.observe(spec, instance, tasks.length * SECOND, durationMs);
      return 0;
    });
    if (round === 'warm') continue;
    add({ work: 'expect(), baseline a map look-up', value: expect, unit: 'calls/s', target: null, baseline: look });
    add({ work: 'observe()', value: observe, unit: 'results/s', target: null });
  }
  if (!Number.isFinite(sum)) throw new Error('a forecast is not a number');
}

import { isColmeiaError } from '../../src/platform/errors.ts';
import type { PlanAction } from '../../src/execution/flow/company-writer.ts';
import type { Plant } from './planted-bugs.ts';
import { contentOf, controlOf, revised, samplePlan, submissionOf, ticketsOf, type SamplePlan } from './sample-plan.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { World } from './world.ts';

/** After the last fault every plan must end within this time. */
const CALM_MS = 180_000;
/** More than any run needs: beyond it something spins. */
const STEPS = 60_000;

export type Outcome = {
  seed: number;
  violation: string | null;
  steps: number;
  virtualMs: number;
  plans: number;
  ended: Record<string, number>;
  /** Copies that were begun. */
  copies: number;
};

/** One run of the real engine, registry and scheduler in a small hostile world; the same seed is the same run. */
export async function simulate(seed: number, plant: Plant = {}): Promise<Outcome> {
  const world = new World(seed, plant);
  const { time, random, invariants, database } = world;
  const begun = time.now;
  const samples = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, i) =>
    samplePlan(world.companies[i % world.companies.length], `plan "${i}"`, random, time.now),
  );
  const acknowledged = new Set<SamplePlan>();
  const guard = (work: Promise<void>): void =>
    void work.catch((error) => invariants.broken(`the simulation stumbled: ${error.stack}`));
  const begin = (): void => {
    world.startProcess();
    const agents = 1 + Math.floor(random() * 3);
    for (let i = 0; i < agents; i++)
      guard(new SimulatedAgent(world, `agent-${i}`, 1 + Math.floor(random() * 3)).live());
    for (const sample of samples) guard(submitAndMeddle(world, sample, acknowledged));
    guard(misfortune(world));
    guard(copyAtRandom(world));
    guard(keepOrder(world, samples, acknowledged));
  };
  const isOver = (): boolean => {
    if (time.steps > STEPS) invariants.broken(`more than ${STEPS} steps: something spins`);
    return world.isOver;
  };
  await time.run(begin, isOver, () => {
    if (!world.isOver) invariants.broken('nothing moves any more');
    for (const process of world.processes) if (process.isAlive) process.kill(false);
  });
  const ended: Record<string, number> = {};
  for (const { status } of database.plans.values()) ended[status] = (ended[status] ?? 0) + 1;
  return {
    seed,
    violation: invariants.violation,
    steps: time.steps,
    virtualMs: time.now - begun,
    plans: database.plans.size,
    ended,
    copies: invariants.copies,
  };
}

async function submitAndMeddle(world: World, sample: SamplePlan, acknowledged: Set<SamplePlan>): Promise<void> {
  const { time, random } = world;
  await time.sleep(random() * 3_000);
  await submit(world, sample);
  acknowledged.add(sample);
  if (random() < 0.3) {
    await time.sleep(random() * 3_000);
    await submit(world, sample, true);
  }
  if (random() < 0.2) await submitConflict(world, sample);
  while (world.isHostile('people')) {
    await time.sleep(random() * 4_000);
    if (world.isHostile('people')) await meddle(world, sample);
  }
}

/** Sends a decision until it is acknowledged; what was acknowledged is there. */
async function submit(world: World, sample: SamplePlan, again = false): Promise<void> {
  const { time, random, database, invariants } = world;
  const { instance, plan } = sample;
  const submission = submissionOf(sample, time.now);
  while (!world.isOver) {
    try {
      const process = world.pick();
      if (process === null) throw new Error('CONNECTION_LOST');
      const answer = await process.ask(({ writer }) => writer.submit(submission));
      const row = database.plans.get(database.planIds.get(`${instance}/${plan.plan_id}`)!);
      if (row === undefined) invariants.broken(`the decision of ${plan.plan_id} was acknowledged and is not kept`);
      if (again && !answer.duplicate)
        invariants.broken(`the decision of ${plan.plan_id}, sent again, was taken for a new one`);
      return;
    } catch (error) {
      world.checkPassing(error, 'submit');
      await time.sleep(100 + random() * 400);
    }
  }
}

async function submitConflict(world: World, sample: SamplePlan): Promise<void> {
  const other = { ...sample, plan: { ...sample.plan, reasoning_summary: 'another' } };
  const process = world.pick();
  if (process === null) return;
  try {
    await process.ask(({ writer }) => writer.submit(submissionOf(other, world.time.now)));
    world.invariants.broken('another decision under the same plan id was accepted');
  } catch (error) {
    if (!isColmeiaError(error, 'PLAN_CONFLICT')) world.checkPassing(error, 'a conflicting submit');
  }
}

/** What people do to a plan while it runs. */
async function meddle(world: World, sample: SamplePlan): Promise<void> {
  const { random, time } = world;
  const undo = random() < 0.6;
  const n = random() < 0.5 ? null : Math.floor(random() * 6);
  const actions: PlanAction[] = [
    { type: 'paused' },
    { type: 'resumed' },
    { type: 'cancelled', undo, why: 'so' },
    { type: 'approved', n },
    { type: 'approved', n: null },
    { type: 'declined', n, why: 'no' },
    { type: 'retried' },
    { type: 'retried' },
  ];
  const action = actions[Math.floor(random() * (actions.length + 2))];
  if (action !== undefined) return act(world, sample, action);
  const revision = revised(sample, random, time.now);
  await ask(
    world,
    'replan',
    sample,
    (key) =>
      ({ writer }) =>
        writer.replan({
          instance: sample.instance,
          key,
          tickets: ticketsOf(revision, time.now),
          gate: revision.gate,
          control: controlOf(revision),
          content: contentOf(revision),
          who: { by: 'operator' },
        }),
  );
}

function act(world: World, sample: SamplePlan, action: PlanAction): Promise<void> {
  return ask(
    world,
    action.type,
    sample,
    (key) =>
      ({ writer }) =>
        writer.act({ instance: sample.instance, key, action, who: { by: 'operator' } }),
  );
}

type Question = (key: number) => Parameters<NonNullable<ReturnType<World['pick']>>['ask']>[0];

async function ask(world: World, what: string, sample: SamplePlan, question: Question): Promise<void> {
  const key = world.database.planIds.get(`${sample.instance}/${sample.plan.plan_id}`);
  const process = world.pick();
  if (key === undefined || process === null) return;
  try {
    await process.ask(question(key));
  } catch (error) {
    if (!isColmeiaError(error, 'PLAN_STATE')) world.checkPassing(error, what);
  }
}

/** Kills, clean stops, second owners and outages, until the calm. */
async function misfortune(world: World): Promise<void> {
  const { time, random } = world;
  while (!world.isCalm && !world.isOver) {
    await time.sleep(300 + random() * 3_000);
    const alive = world.processes.filter((process) => process.isAlive);
    const roll = random();
    if (world.isHostile('outages') && roll < 0.25) world.beginOutage(random() * 2_500);
    else if (world.isHostile('fights') && roll < 0.5 && alive.length < 2) world.startProcess();
    else if (world.isHostile('kills') && roll < 0.75) alive[0]?.kill(random() < 0.5);
    else if (world.isHostile('kills') && roll < 0.85) await alive[0]?.stop();
    const left = world.processes.filter((process) => process.isAlive);
    if (alive.length === 2 && left.length === 1) void left[0].ownAgain(world.companies);
    if (random() < 0.7 && !world.processes.some((process) => process.isAlive)) world.startProcess();
  }
  const [first, ...others] = world.processes.filter((process) => process.isAlive);
  for (const process of others) process.kill(random() < 0.5);
  if (first === undefined) world.startProcess();
  else if (others.length > 0) void first.ownAgain(world.companies);
}

async function copyAtRandom(world: World): Promise<void> {
  const { time, random } = world;
  while (world.isHostile('copies') && !world.isOver) {
    await time.sleep(20 + random() * 200);
    world.copySomething();
  }
}

/** In the calm someone answers what waits for a person; then every plan must end. */
async function keepOrder(
  world: World,
  samples: readonly SamplePlan[],
  acknowledged: ReadonlySet<SamplePlan>,
): Promise<void> {
  const { time, database, invariants } = world;
  await time.sleep(Math.max(0, world.calmAt - time.now));
  while (!world.isOver) {
    await time.sleep(1_000);
    const open = [...database.plans.values()].filter((row) => row.ended_at === null);
    if (acknowledged.size === samples.length && open.length === 0) {
      await time.sleep(3_000); // the last answer is on its way, and the leases of a former owner run out
      const kept = world.processes.find((process) => process.isAlive && process.registry.leaseCount > 0);
      if (kept !== undefined) invariants.broken(`${kept.registry.leaseCount} leases outlive their plans`);
      const running = world.processes.find(
        (process) => process.isAlive && process.swarm.running + process.swarm.size > 0,
      );
      if (running !== undefined)
        invariants.broken(
          `the scheduler has ${running.swarm.running} attempts and ${running.swarm.size} tickets of ended plans`,
        );
      world.isDone = true;
      return;
    }
    if (time.now > world.calmAt + CALM_MS) {
      const what = open.map(
        (row) =>
          `${row.id} ${row.status} ${row.control as string} [${database
            .ticketsOf(row.key)
            .map((t) => `${t.n}:${t.status}/${t.fence}`)
            .join(' ')}]`,
      );
      invariants.broken(
        `after ${CALM_MS / 1_000} calm seconds not all is over: ${acknowledged.size} of ${samples.length} acknowledged; ${what.join('; ')}`,
      );
    }
    for (const row of open) {
      const sample = samples.find(({ instance, plan }) => instance === row.instance && plan.plan_id === row.id)!;
      if ((JSON.parse(row.control as string) as { paused?: boolean }).paused)
        await act(world, sample, { type: 'resumed' });
      const waits =
        row.status === 'waiting_approval' || database.ticketsOf(row.key).some((ticket) => ticket.status === 'approval');
      if (waits) await act(world, sample, { type: 'approved', n: null });
    }
  }
}

import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { decodeCursor, encodeCursor, isTexts, pageLimit, pageOf } from '../../platform/page.ts';
import { filterOf, mustDirect, mustHave, mustOperate } from '../../trust/identity/may.ts';
import { actorOf, SYSTEM_INSTANCE, type Principal } from '../../trust/identity/principal.ts';
import { agentIdOf, agentKeyOf } from '../agents/agent.ts';
import type { Context } from '../context.ts';
import { NEVER_DEGRADED } from '../scheduling/contingency/degradation.ts';
import { readExperiment } from '../scheduling/experiments/experiment-settings.ts';
import type { Switchback } from '../scheduling/experiments/switchback.ts';
import { targetOf } from '../scheduling/models/service-objectives.ts';
import type { Trail } from '../scheduling/models/trail.ts';
import { policyDocument } from '../scheduling/policy-document.ts';
import { PRESETS } from '../scheduling/policy.ts';
import type { ClassBacklog } from '../scheduling/why.ts';
import { settingsDocument } from '../scheduling/setting.ts';
import { burnOf } from './burn.ts';
import { classNameOf } from './class-name.ts';
import type { LiveSwarm } from './live-swarm.ts';
import type { BacklogView, BudgetView, ExperimentView, PolicyView, Scheduling, TrailView } from './scheduling-views.ts';

export function schedulingOperations(context: Context, live: LiveSwarm): Scheduling {
  const { clock, instances, writers } = context;
  const { swarm } = live;

  return {
    async policy(who) {
      mustHave(who, 'read');
      mustDirect(who);
      return policyView(live);
    },
    async setPolicy(who, document) {
      mustHave(who, 'administer');
      mustOperate(who);
      mustBeOfTheFleet(who);
      await live.setPolicy(document, actorOf(who));
      return policyView(live);
    },
    async backlog(who) {
      mustHave(who, 'read');
      mustOperate(who);
      const at = clock.now();
      return { at, classes: mergeBacklogs(await writers.backlogs()).map(backlogView) };
    },
    async trails(who, query) {
      mustHave(who, 'read');
      mustOperate(who);
      const limit = pageLimit(query.limit);
      const after = decodeCursor(query.after, isTexts(1))?.[0];
      const agent = query.agent_id === undefined ? undefined : keyOf(who, query.agent_id);
      const page = swarm.knowledge.trails.list({ type: query.task_type, agent, after, limit }, clock.now());
      return { items: page.trails.map(trailView), next: page.next === null ? null : encodeCursor([page.next]) };
    },
    async resetTrails(who, { task_type: type, agent_id }) {
      mustHave(who, 'administer');
      mustOperate(who);
      mustBeOfTheFleet(who);
      const agent = agent_id === undefined ? undefined : keyOf(who, agent_id);
      return { removed: await live.resetTrails({ type, agent }, actorOf(who)) };
    },
    async budgets(who, query) {
      mustHave(who, 'read');
      mustDirect(who);
      const limit = pageLimit(query.limit);
      const [instance, type] = decodeCursor(query.after, isTexts(2)) ?? ['', ''];
      const only = filterOf(who, query.instance);
      const names = only === null ? (await instances.all()).map(({ name }) => name) : [only];
      const rows: [string, string][] = [];
      for (const name of names.filter((each) => each !== SYSTEM_INSTANCE && each >= instance).sort()) {
        for (const each of swarm.budget.classes(name).sort())
          if (name > instance || each > type) rows.push([name, each]);
        if (rows.length > limit) break;
      }
      const now = clock.now();
      return pageOf(
        rows.slice(0, limit + 1),
        limit,
        (row) => row,
        ([name, each]) => budgetView(live, name, each, now),
      );
    },
    async degradation(who) {
      mustHave(who, 'read');
      mustDirect(who);
      const { step } = swarm.contingency;
      return { step, steps: swarm.contingency.steps(), never: [...NEVER_DEGRADED] };
    },
    async experiment(who) {
      mustHave(who, 'read');
      mustDirect(who);
      return swarm.experiment === null ? null : experimentView(swarm.experiment, live);
    },
    async startExperiment(who, settings) {
      mustHave(who, 'administer');
      mustOperate(who);
      mustBeOfTheFleet(who);
      const faults: Fault[] = [];
      const read = readExperiment(settings, PRESETS, 'experiment', faults);
      if (faults.length > 0) {
        const [{ path, message }] = faults;
        throw new ColmeiaError('INVALID_POLICY', `the experiment is invalid: ${path} ${message}`, { faults });
      }
      await live.startExperiment(read, actorOf(who));
      return experimentView(swarm.experiment!, live);
    },
    async stopExperiment(who, { reason }) {
      mustHave(who, 'administer');
      mustOperate(who);
      mustBeOfTheFleet(who);
      if (swarm.experiment === null) throw new ColmeiaError('EXPERIMENT_NOT_FOUND', 'there was no experiment');
      await live.stopExperiment(reason ?? null, actorOf(who));
      return experimentView(swarm.experiment, live);
    },
  };
}

/** What concerns all companies is for operators of the fleet. */
function mustBeOfTheFleet(who: Principal): void {
  if (who.instance !== null)
    throw new ColmeiaError('FORBIDDEN', 'only a key of an operator of the whole fleet may do this');
}

/** An agent as the fleet's, unless its key was given whole: `company/agent`. */
const keyOf = (who: Principal, agentId: string): string =>
  agentId.includes('/') ? agentId : agentKeyOf(who.instance, agentId);

function policyView({ swarm, kept }: LiveSwarm): PolicyView {
  const { policy, document, objectives, settings } = swarm.config;
  return {
    preset: swarm.preset,
    document,
    policy: {
      ...policyDocument(policy),
      objectives,
      settings: Object.fromEntries(Object.entries(settings).map(([name, table]) => [name, settingsDocument(table)])),
    },
    changed_at: kept?.at ?? null,
    changed_by: kept?.by ?? null,
  };
}

function backlogView({
  class: key,
  type,
  capabilities,
  tickets,
  backlogMs,
  capacity,
  agents,
}: ClassBacklog): BacklogView {
  return {
    class: classNameOf(key),
    task_type: type,
    capabilities: [...capabilities],
    tickets,
    backlog_seconds: rounded(backlogMs / 1_000),
    capacity: rounded(capacity),
    drain_seconds: capacity > 0 ? rounded(backlogMs / 1_000 / capacity) : null,
    agents,
  };
}

function trailView({ type, agent, successes, failures, factor, success, lastSeen }: Trail): TrailView {
  const instance = agent.slice(0, agent.indexOf('/'));
  return {
    task_type: type,
    agent_id: agentIdOf(agent),
    instance: instance === SYSTEM_INSTANCE ? null : instance,
    successes,
    failures,
    success,
    factor,
    last_at: lastSeen,
  };
}

function budgetView({ swarm }: LiveSwarm, instance: string, type: string, now: number): BudgetView {
  const { budget } = swarm;
  return {
    instance,
    task_type: type,
    target: targetOf(swarm.config.objectives, instance, swarm.tierOf(instance), type),
    burn: burnOf(budget, instance, now, type),
    remaining_percent: rounded(budget.remainingPercent(instance, now, type)),
    mode: budget.modeOf(instance),
  };
}

function experimentView(experiment: Switchback, { swarm }: LiveSwarm): ExperimentView {
  const { a, b, metric, ...numbers } = experiment.settings;
  const { result } = experiment;
  const { difference, interval, pairs, results, onTime } = result ?? experiment.finding();
  return {
    state: result === null ? 'running' : 'ended',
    a,
    b,
    metric,
    settings: settingsDocument(numbers),
    started_at: experiment.startedAt,
    ended_at: result?.endedAt ?? null,
    current: result === null ? swarm.preset : null,
    pairs,
    difference,
    interval,
    results,
    on_time: onTime,
    winner: result?.winner ?? null,
    stopped: result?.stopped ?? null,
    harmful: result?.harmful ?? null,
  };
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;

/** What the replicas say of a class is one queue; its agents are the same ones, seen by each. */
function mergeBacklogs(replicas: readonly (readonly ClassBacklog[])[]): ClassBacklog[] {
  const merged = new Map<string, ClassBacklog>();
  for (const one of replicas.flat()) {
    const known = merged.get(one.class);
    if (known === undefined) merged.set(one.class, { ...one });
    else {
      known.tickets += one.tickets;
      known.backlogMs += one.backlogMs;
      known.capacity = Math.max(known.capacity, one.capacity);
      known.agents = Math.max(known.agents, one.agents);
    }
  }
  return [...merged.values()];
}

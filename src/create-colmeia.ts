import type { Colmeia } from './colmeia.ts';
import {
  DEFAULT_POLICY,
  exportsFolderOf,
  masterKeySourceOf,
  workFolderOf,
  type ColmeiaOptions,
} from './colmeia-options.ts';
import { openInstances } from './coordination/instances/open-instances.ts';
import { NO_ACCOUNTS } from './coordination/instances/outside-sites.ts';
import { startStatistics } from './coordination/instances/statistics.ts';
import { noteAttempts } from './execution/agents/agent-history.ts';
import { agentOperations } from './execution/agents/agent-operations.ts';
import { AgentRegistry } from './execution/agents/agent-registry.ts';
import { listPeople } from './execution/agents/agent-store.ts';
import { startTokenCount } from './execution/agents/count-tokens.ts';
import { inboxOperations } from './execution/agents/inbox-operations.ts';
import { followCompany } from './execution/agents/follow-companies.ts';
import { journalAgentLife } from './execution/agents/journal-agent-life.ts';
import { leaseOperations } from './execution/agents/lease-operations.ts';
import type { Context } from './execution/context.ts';
import { companyFlow } from './execution/flow/company-flow.ts';
import { eventOperations } from './execution/flow/event-operations.ts';
import { FlowEngine, type CommittedRow } from './execution/flow/flow-engine.ts';
import { FlowStatus } from './execution/flow/flow-status.ts';
import { logCommitted } from './execution/flow/log-committed.ts';
import { localWriter } from './execution/flow/local-writer.ts';
import { engineObservers, observeCommitted } from './execution/flow/observe.ts';
import { startTelemetrySink } from './execution/flow/telemetry-sink.ts';
import { startTracing } from './execution/flow/trace-plans.ts';
import { decisionOperations } from './execution/plans/decision-operations.ts';
import { planOperations } from './execution/plans/plan-operations.ts';
import { ticketOperations } from './execution/plans/ticket-operations.ts';
import { plainDispatcher, type Dispatcher } from './execution/scheduling/dispatcher.ts';
import type { ClassBacklog } from './execution/scheduling/why.ts';
import { classNameOf } from './execution/swarm/class-name.ts';
import { explainPlan } from './execution/swarm/explain-plan.ts';
import { Forecaster } from './execution/swarm/forecaster.ts';
import { LiveSwarm, type LiveSwarmOptions } from './execution/swarm/live-swarm.ts';
import { refuseOverload } from './execution/swarm/refuse-overload.ts';
import { readSchedulingConfig } from './execution/swarm/scheduling-config.ts';
import { schedulingOperations } from './execution/swarm/scheduling-operations.ts';
import { whyTicket } from './execution/swarm/why-ticket.ts';
import type { CompanyWriter } from './execution/flow/company-writer.ts';
import type { LivePlan } from './execution/flow/live-plan.ts';
import { Replicas } from './execution/replicas/replicas.ts';
import { embeddedWriters, peerMethods, replicatedWriters } from './execution/replicas/writers.ts';
import { JournalFeed } from './platform/bus/journal-feed.ts';
import type { Consumer } from './platform/bus/consumer.ts';
import { systemClock } from './platform/clock.ts';
import { createMetrics } from './platform/observability/metrics.ts';
import { Secret } from './platform/secret.ts';
import { openStore } from './platform/store/open-store.ts';
import { auditOperations } from './trust/audit/audit-operations.ts';
import { Authenticator } from './trust/identity/authenticate.ts';
import { InstanceDirectory } from './trust/identity/instance-directory.ts';
import { keyOperations } from './trust/identity/key-operations.ts';
import { filterOf, mustDirect, mustHave } from './trust/identity/may.ts';
import { MasterKeys } from './trust/secrets/master-key.ts';
import { secretOperations } from './trust/secrets/secret-operations.ts';
import { SecretStore } from './trust/secrets/secret-store.ts';
import { healthOperations } from './health.ts';
import { VERSION } from './version.ts';

const engines = new WeakMap<Colmeia, FlowEngine>();

/** For tests that do to the engine of a Colmeia what only its scheduler does. */
export const engineOf = (colmeia: Colmeia): FlowEngine => engines.get(colmeia)!;

const DEFAULT_PARALLEL = 100;
/** A process that says nothing for less is not taken for dead. */
const LEAST_SILENT_MS = 3_000;

/** null = the plan is not open. */
function withPlan<T>(engine: FlowEngine, key: number, tell: (plan: LivePlan) => T): T | null {
  const plan = engine.plan(key);
  return plan === null ? null : tell(plan);
}

/**
 * The whole control plane in this process: opens and migrates the database, takes up what was open, starts its background
 * work. Throws INVALID_POLICY, STORE_UNAVAILABLE, DATA_FOLDER_LOCKED, DATA_FOLDER_NEWER. Close it in the end.
 */
export const createColmeia = (options: ColmeiaOptions = {}): Promise<Colmeia> => open(options, null);

/** For benches: the flow on a scheduler that learns and forecasts nothing, to tell what the swarm costs. */
export const createPlainColmeia = ({ random = Math.random, ...options }: ColmeiaOptions = {}): Promise<Colmeia> =>
  open({ ...options, random }, plainDispatcher(random));

/** `plain`: the scheduler in place of the swarm. */
async function open(options: ColmeiaOptions, plain: Dispatcher | null): Promise<Colmeia> {
  const { clock = systemClock, random = Math.random, log = () => {}, databaseUrl = null, dataFolder = null } = options;
  const policy = { ...DEFAULT_POLICY, ...options.policy };
  const caps = { running: options.maxParallelTickets ?? DEFAULT_PARALLEL };
  const initial = readSchedulingConfig(options.scheduling ?? {}, caps);
  const metrics = createMetrics();
  const store = await openStore({
    databaseUrl,
    dataFolder,
    log: (event, message) => log('info', { ...event }, message),
  });
  const feed = new JournalFeed({ store, clock, random, log });
  const status = new FlowStatus();
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? 10_000;
  const registry = new AgentRegistry(clock, options.leaseDurationMs ?? 30_000, heartbeatIntervalMs);
  const onCommitted = (rows: readonly CommittedRow[]): void => {
    feed.publish(rows);
    observeCommitted(metrics, rows);
    noteAttempts(registry, rows);
    status.observe(rows);
    logCommitted(log, rows, options.debug ?? false);
    if (plain === null) live.committed(rows);
  };
  const consumers: Consumer[] = [];
  const onOwned = (change: { taken: { name: string; planIds: string[] }[]; given: string[] }): void => {
    for (const { name, planIds } of change.taken) status.loaded(name, planIds);
    for (const name of change.given) status.forget(name);
    live.owned(change.taken.map(({ name }) => name));
    live.disowned(change.given);
    for (const consumer of consumers) consumer.refresh();
  };
  const instances = new InstanceDirectory(store);
  const live = await LiveSwarm.open({
    store,
    clock,
    random,
    feed,
    log,
    initial,
    caps,
    tierOf: (name) => instances.tierOf(name),
    owns: (name) => engine.owns(name),
    append: (name, events, statements) => append(name, events, statements),
    wake: () => registry.onDemand(),
  });
  const { swarm } = live;
  registry.onAgent = (agent, key) => swarm.setAgent(agent, key);
  const forecaster = new Forecaster({
    swarm,
    now: () => clock.now(),
    plansOf: (name) => engine.openPlansOf(name),
  });
  const engine = new FlowEngine({
    store,
    clock,
    random,
    registry,
    dispatcher: plain ?? swarm,
    watch: plain === null ? forecaster : undefined,
    admit: (name) => refuseOverload(swarm, engine, name),
    onCommitted,
    onOwned,
    maxOpenTicketsPerCompany: options.maxOpenTicketsPerCompany,
    ...engineObservers(metrics, clock),
    log,
  });
  const authenticator = new Authenticator(store, clock);
  const writer: CompanyWriter = {
    ...localWriter({ engine, registry, store }),
    why: async ({ key, n }) =>
      withPlan(engine, key, (plan) => {
        const { instance } = plan;
        return whyTicket(swarm, plan, n, { now: clock.now(), starts: engine.starts(instance) });
      }),
    explain: async ({ key }) => withPlan(engine, key, (plan) => explainPlan(swarm, forecaster, plan, clock.now())),
  };
  const backlog = (): ClassBacklog[] => swarm.scheduler.backlog(clock.now());
  const own = async (): Promise<void> => engine.own((await instances.all()).map(({ name }) => name));

  let replicas: Replicas | null = null;
  if (databaseUrl !== null) {
    const { OwnershipLocks } = await import('./platform/store/ownership-locks.ts'); // brings the driver
    const locks = await OwnershipLocks.open({
      databaseUrl,
      random,
      log: (event, message) => log('info', { ...event }, message),
    });
    const { host = '127.0.0.1', advertise = null } = options;
    replicas = new Replicas({
      store,
      locks,
      engine,
      instances,
      host,
      advertise,
      methods: peerMethods(writer, engine, registry, backlog),
      heard: () => registry.takeHeard(),
      heardEveryMs: Math.min(1_000, heartbeatIntervalMs / 4),
      log,
    });
  }
  const writers =
    replicas === null
      ? embeddedWriters(writer, engine, registry, backlog)
      : replicatedWriters({ writer, engine, registry, replicas, unavailable: () => store.unavailable(), backlog });
  const append: LiveSwarmOptions['append'] = (instance, events, statements) =>
    writers.at(instance, (at) => at.append({ instance, events, statements }));
  const masterKeys = new MasterKeys(masterKeySourceOf(options), clock);
  const secrets = new SecretStore({ store, masterKeys, append });
  secrets.check().catch((error: Error) => log('warn', {}, error.message)); // what needs no secret goes on
  const companies = await openInstances({
    store,
    clock,
    log,
    append,
    directory: instances,
    flow: companyFlow({
      writers,
      store,
      authenticator,
      found: (name) => (replicas === null ? engine.own([name]) : replicas.created()),
    }),
    random,
    metrics,
    secrets,
    databaseUrl: databaseUrl === null ? null : new Secret(databaseUrl),
    dataFolder,
    postgresBin: options.postgresBin ?? null,
    instancesFolder: options.instancesFolder ?? null,
    workFolder: workFolderOf(options),
    exportsFolder: exportsFolderOf(options),
    version: VERSION,
    shared: { ...NO_ACCOUNTS, ...options.accounts },
    owned: () => engine.ownedCompanies(),
    silentMs: Math.max(LEAST_SILENT_MS, registry.leaseDurationMs),
    heartbeatMs: Math.max(LEAST_SILENT_MS, registry.leaseDurationMs) / 6,
  });
  instances.onChanged = (name, now, before) => {
    swarm.scheduler.weigh();
    if (now === null) {
      feed.forget(name);
      live.forget(name);
      for (const consumer of consumers) consumer.refresh();
    }
    followCompany({ store, registry }, name, now, before).catch((error: unknown) =>
      log('warn', { err: error, instance: name }, 'the agents of a company could not follow it'),
    );
  };
  const agentLife = journalAgentLife({ registry, engine, log });
  for (const { instance, spec, state } of await listPeople(store)) registry.put(instance, spec, state);
  await authenticator.start();
  await instances.start();
  await feed.start();
  await (replicas === null ? own() : replicas.start());
  await live.start();
  await companies.start();

  const context: Context = {
    store,
    clock,
    engine,
    registry,
    writers,
    swarm,
    instances,
    policy,
    metrics,
    settings: {
      heartbeatIntervalMs,
      defaultInstance: options.defaultInstance ?? 'default',
    },
  };
  const background = { store, feed, clock, random, log, instances: () => engine.ownedCompanies() };
  consumers.push(startTokenCount(background), startStatistics(background));
  if (options.telemetry) consumers.push(startTelemetrySink({ ...background, ...options.telemetry, metrics }));
  if (options.otelEndpoint) {
    const { openTraceExporter } = await import('./platform/observability/tracing.ts');
    const exporter = await openTraceExporter({ endpoint: options.otelEndpoint, version: VERSION });
    consumers.push(startTracing({ ...background, exporter }));
  }
  metrics.bind({
    queueDepth: () => engine.queueDepth,
    readyTickets: () => engine.dispatcher.size,
    openPlans: () => engine.openPlans,
    agents: () => registry.size,
    silentAgents: () => registry.silent,
    leases: () => registry.leaseCount,
    readers: () => feed.readers,
    budget: () => swarm.budget.worst(clock.now()),
    backlog: () =>
      backlog().map(({ class: key, backlogMs, capacity }) => {
        return { class: classNameOf(key), backlogSeconds: backlogMs / 1_000, capacity };
      }),
    degradation: () => swarm.contingency.step,
    consumers: () => consumers,
  });

  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await companies.stop();
    registry.close();
    agentLife.stop();
    await Promise.all(consumers.map((consumer) => consumer.stop()));
    await feed.stop();
    await live.quiet();
    await engine.stop();
    await live.stop();
    await replicas?.stop();
    instances.stop();
    await authenticator.stop();
    await store.close();
  };
  const colmeia: Colmeia = {
    decisions: decisionOperations(context),
    plans: planOperations(context),
    tickets: ticketOperations(context),
    agents: agentOperations(context),
    leases: leaseOperations(context),
    inbox: inboxOperations(context),
    scheduling: schedulingOperations(context, live),
    instances: companies.instances,
    keys: keyOperations({ store, clock, instances, authenticator, append }),
    secrets: secretOperations(secrets, instances),
    audit: auditOperations(store, instances),
    events: eventOperations(store, feed, context.settings.defaultInstance),
    async status(who) {
      mustHave(who, 'read');
      mustDirect(who);
      return { ...status.view(filterOf(who, undefined)), cached: true };
    },
    ...healthOperations(store, replicas, clock, swarm.contingency),
    metrics: () => metrics.text(),
    close: () => (closing ??= close()),
  };
  engines.set(colmeia, engine);
  return colmeia;
}

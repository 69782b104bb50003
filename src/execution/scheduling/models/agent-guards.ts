import {
  breakerBegan,
  breakerFailed,
  breakerQuota,
  breakerReleased,
  breakerState,
  breakerSucceeded,
  newCircuitBreaker,
  type BreakerState,
  type CircuitBreaker,
} from '../../../platform/circuit-breaker.ts';
import type { ErrorClass } from '../../flow/flow-state.ts';
import type { SchedulerAgent } from '../scheduler-agent.ts';
import type { Guard } from '../scheduler-state.ts';
import { defaultsOf, type SettingsOf, type SettingTable } from '../setting.ts';
import { AbleAgents } from './able-agents.ts';
import {
  ADAPTIVE_LIMIT_SETTINGS,
  learnCompleted,
  learnTimeout,
  newAdaptiveLimit,
  slotsOf,
  type AdaptiveLimit,
} from './adaptive-limit.ts';
import { CIRCUIT_BREAKER_SETTINGS } from './circuit-breaker-settings.ts';
import { OUTLIER_SETTINGS, OutlierEjection, type OutlierSnapshot } from './outlier-ejection.ts';
import { RecentMap } from './recent-map.ts';

export const GUARD_SETTINGS = {
  ...ADAPTIVE_LIMIT_SETTINGS,
  ...CIRCUIT_BREAKER_SETTINGS,
  ...OUTLIER_SETTINGS,
} as const satisfies SettingTable;
export type GuardSettings = SettingsOf<typeof GUARD_SETTINGS>;

/** An attempt that ended, as guards see it. */
export type GuardedOutcome = {
  /** Epoch ms. */
  at: number;
  agent: string;
  type: string;
  /** null = it completed. */
  errorClass: ErrorClass | null;
  /** ln(duration ÷ what is expected of an ordinary agent); null = not known. */
  logRatio: number | null;
  /** What the agent said with a failure of class quota; null = nothing. */
  retryAfterMs: number | null;
};

/** How an agent stands, for people. */
export type GuardReport = {
  agent: string;
  concurrency: number;
  limit: number;
  inflight: number;
  breaker: BreakerState;
  /** Epoch ms; null = closed. */
  openUntil: number | null;
  endpoint: string | null;
  endpointBreaker: BreakerState | null;
};

type Guarded = {
  concurrency: number;
  /** The limit as it is; null = nothing was learned, so the agent's concurrency. */
  limit: AdaptiveLimit | null;
  breaker: CircuitBreaker;
  endpoint: string | null;
  /** Shared with the other agents of the endpoint. */
  endpointBreaker: CircuitBreaker | null;
  inflight: number;
};

/** Plain JSON; about 200 bytes for each of at most 20,000 agents and 20,000 endpoints, and the ejections. */
export type GuardsSnapshot = {
  version: 1;
  agents: { agent: string; limit: AdaptiveLimit | null; breaker: CircuitBreaker }[];
  endpoints: { endpoint: string; breaker: CircuitBreaker }[];
  outliers: OutlierSnapshot;
};

const MAX_AGENTS = 20_000;

/**
 * Protection from agents that do badly, learned from outcomes alone: how many tickets an agent can really do at once
 * (Gradient2), circuit breakers for it and for the endpoint or provider behind it, and ejection of outliers from a type.
 * Every call is O(1). What is known of an agent outlives its registration, so that coming and going is no way around it.
 */
export class AgentGuards {
  #settings: GuardSettings;
  /** Failures in a row open it later than an agent's, so that one bad agent does not close it to the others. */
  #endpointSettings: GuardSettings;
  readonly #agents = new RecentMap<Guarded>(MAX_AGENTS);
  readonly #endpoints = new RecentMap<CircuitBreaker>(MAX_AGENTS);
  readonly #outliers: OutlierEjection;
  readonly #able = new AbleAgents();
  readonly #answer: Guard = { allows: true, limit: 1, why: null };

  constructor(settings: GuardSettings = defaultsOf(GUARD_SETTINGS)) {
    this.#settings = settings;
    this.#endpointSettings = ofEndpoints(settings);
    this.#outliers = new OutlierEjection(settings);
  }

  /** What is open or ejected stays so for its time. */
  configure(settings: GuardSettings): void {
    this.#settings = settings;
    this.#endpointSettings = ofEndpoints(settings);
    this.#outliers.configure(settings);
  }

  /** Call when the agent is registered or changed. Label `endpoint`, else `provider`, names what it shares with others. */
  setAgent(agent: Pick<SchedulerAgent, 'key' | 'instance' | 'taskTypes' | 'concurrency' | 'labels'>): void {
    const { key, concurrency, labels } = agent;
    this.#able.set(agent);
    const endpoint = labels.endpoint ?? labels.provider ?? null;
    const guarded = this.#guarded(key);
    guarded.concurrency = Math.max(1, concurrency);
    guarded.endpoint = endpoint;
    this.#agents.put(key, guarded);
    guarded.endpointBreaker = endpoint === null ? null : (this.#endpoints.get(endpoint) ?? newCircuitBreaker());
    if (endpoint !== null) this.#endpoints.put(endpoint, guarded.endpointBreaker!);
  }

  /** It is gone with all that it ran; what was learned of it stays for when it is back. */
  removeAgent(key: string): void {
    this.#able.delete(key);
    const guarded = this.#agents.get(key);
    if (guarded !== undefined) guarded.inflight = 0;
  }

  began(agent: string, at: number): void {
    const guarded = this.#guarded(agent);
    guarded.inflight++;
    breakerBegan(guarded.breaker, at, this.#settings);
    const ofEndpoint = guarded.endpointBreaker;
    if (ofEndpoint !== null) breakerBegan(ofEndpoint, at, this.#settings);
  }

  /** It was given back, cancelled, or never taken: nothing is learned. */
  released(agent: string): void {
    const guarded = this.#guarded(agent);
    guarded.inflight = Math.max(0, guarded.inflight - 1);
    breakerReleased(guarded.breaker);
    const ofEndpoint = guarded.endpointBreaker;
    if (ofEndpoint !== null) breakerReleased(ofEndpoint);
  }

  ended(outcome: GuardedOutcome): void {
    const { at, agent, type, errorClass, logRatio } = outcome;
    const guarded = this.#guarded(agent);
    const inflight = Math.max(1, guarded.inflight);
    guarded.inflight = Math.max(0, guarded.inflight - 1);
    const isAlone = errorClass !== null && this.#able.isAlone(agent, type);
    const own = isAlone ? steady(this.#settings) : this.#settings;
    this.#learnBreaker(guarded.breaker, outcome, own, guarded.endpoint === null);
    const ofEndpoint = guarded.endpointBreaker;
    const shared = isAlone ? steady(this.#endpointSettings) : this.#endpointSettings;
    if (ofEndpoint !== null) this.#learnBreaker(ofEndpoint, outcome, shared, true);
    // A quota is no fault of the agent, and peers behind the same provider have it too.
    if (errorClass !== 'quota') this.#outliers.observe({ at, type, agent, ok: errorClass === null });
    const { concurrency } = guarded;
    if (concurrency === 1) return;
    if (errorClass === 'timeout')
      learnTimeout((guarded.limit ??= newAdaptiveLimit(concurrency)), concurrency, this.#settings);
    else if (errorClass === null && logRatio !== null && Number.isFinite(logRatio))
      learnCompleted(
        (guarded.limit ??= newAdaptiveLimit(concurrency)),
        { logRatio, inflight, concurrency },
        this.#settings,
      );
  }

  /** Whether the agent may get a ticket of the type now, and how many at once. The answer is valid until the next call. */
  guardOf(agent: string, type: string, now: number): Guard {
    const answer = this.#answer;
    answer.allows = true;
    answer.why = null;
    const guarded = this.#agents.get(agent);
    if (guarded === undefined) {
      answer.limit = Number.POSITIVE_INFINITY;
      return answer;
    }
    const { limit, concurrency, breaker } = guarded;
    answer.limit = limit === null ? concurrency : slotsOf(limit, concurrency);
    if (answer.limit < concurrency) answer.why = 'it takes longer the more it does at once';
    if (breaker.openUntil !== 0) this.#judge(answer, breaker, guarded.inflight, now, OWN);
    const ofEndpoint = guarded.endpointBreaker;
    if (ofEndpoint !== null && ofEndpoint.openUntil !== 0 && answer.allows)
      this.#judge(answer, ofEndpoint, guarded.inflight, now, SHARED);
    if (answer.allows && this.#outliers.ejected > 0 && this.#outliers.ejectedUntil(type, agent, now) > 0) {
      answer.allows = false;
      answer.why = 'it fails far more often than its peers at this type';
    }
    return answer;
  }

  /** How the agents stand; null = nothing is known of the agent. */
  report(agent: string, now: number): GuardReport | null {
    const guarded = this.#agents.get(agent);
    if (guarded === undefined) return null;
    const { breaker, concurrency, limit, inflight, endpoint } = guarded;
    const ofEndpoint = guarded.endpointBreaker;
    return {
      agent,
      concurrency,
      limit: limit === null ? concurrency : slotsOf(limit, concurrency),
      inflight,
      breaker: breakerState(breaker, now, this.#settings),
      openUntil: breaker.openUntil === 0 ? null : breaker.openUntil,
      endpoint,
      endpointBreaker: ofEndpoint === null ? null : breakerState(ofEndpoint, now, this.#settings),
    };
  }

  /** Who is ejected now, from which type, until when (epoch ms). */
  ejected(now: number): { type: string; agent: string; until: number }[] {
    return this.#outliers.list(now);
  }

  /** Without what runs: that is told again by `began`. */
  snapshot(): GuardsSnapshot {
    return structuredClone({
      version: 1,
      agents: [...this.#agents.entries()].map(([agent, { limit, breaker }]) => ({ agent, limit, breaker })),
      endpoints: [...this.#endpoints.entries()].map(([endpoint, breaker]) => ({ endpoint, breaker })),
      outliers: this.#outliers.snapshot(),
    });
  }

  /** Before agents are set. What is not as expected is left out. */
  restore(snapshot: Partial<GuardsSnapshot> | null): void {
    if (snapshot === null || snapshot.version !== 1) return;
    for (const { agent, limit, breaker } of snapshot.agents ?? []) {
      const guarded = this.#guarded(agent);
      guarded.limit = limit === null || !isNumbers(limit) ? null : { ...newAdaptiveLimit(1), ...limit };
      guarded.breaker = breakerFrom(breaker);
    }
    for (const { endpoint, breaker } of snapshot.endpoints ?? []) this.#endpoints.put(endpoint, breakerFrom(breaker));
    this.#outliers.restore(snapshot.outliers ?? []);
  }

  #learnBreaker(
    breaker: CircuitBreaker,
    { at, errorClass, retryAfterMs }: GuardedOutcome,
    settings: GuardSettings,
    quotaToo: boolean,
  ): void {
    if (errorClass === null) breakerSucceeded(breaker, at);
    else if (errorClass === 'quota') {
      if (quotaToo) breakerQuota(breaker, at, retryAfterMs, settings);
      else breakerReleased(breaker);
    } else if (errorClass === 'poison') breakerReleased(breaker); // the ticket's fault, not the agent's
    else breakerFailed(breaker, at, settings);
  }

  #judge(answer: Guard, breaker: CircuitBreaker, inflight: number, now: number, whys: typeof OWN): void {
    const state = breakerState(breaker, now, this.#settings);
    if (state === 'half-open') {
      answer.limit = Math.min(answer.limit, inflight + 1);
      answer.why = whys.probing;
      return;
    }
    answer.allows = false;
    answer.why = state === 'probing' ? whys.probing : breaker.quota ? whys.quota : whys.open;
  }

  #guarded(agent: string): Guarded {
    let guarded = this.#agents.get(agent);
    if (guarded === undefined) {
      guarded = {
        concurrency: 1,
        limit: null,
        breaker: newCircuitBreaker(),
        endpoint: null,
        endpointBreaker: null,
        inflight: 0,
      };
      this.#agents.put(agent, guarded);
    }
    return guarded;
  }
}

const ofEndpoints = (settings: GuardSettings): GuardSettings => ({
  ...settings,
  breaker_consecutive: 3 * settings.breaker_consecutive,
});

/**
 * For an agent that nobody can stand in for. Its circuit opens too: else tickets that wait would use up their retries on it.
 * But longer and longer waits send work to nobody else, they only put off the moment when it is well again.
 */
const steady = (settings: GuardSettings): GuardSettings => ({
  ...settings,
  breaker_open_max_ms: settings.breaker_open_ms,
});

const OWN = {
  open: 'its circuit is open: it failed too often',
  quota: 'its circuit is open: its quota is used up',
  probing: 'its circuit is half open: one ticket at a time tries whether it is well again',
};
const SHARED = {
  open: 'the circuit of its endpoint is open: that failed too often',
  quota: 'the circuit of its endpoint is open: the quota is used up',
  probing: 'the circuit of its endpoint is half open: one ticket at a time tries whether it is well again',
};

function breakerFrom(value: Partial<CircuitBreaker> | undefined): CircuitBreaker {
  const breaker = { ...newCircuitBreaker(), ...value };
  const { quota, ...numbers } = breaker;
  // What ran is not known after a restart, so no probe is under way.
  return typeof quota === 'boolean' && isNumbers(numbers) ? { ...breaker, probeAt: 0 } : newCircuitBreaker();
}

function isNumbers(value: object): boolean {
  return Object.values(value).every((one) => Number.isFinite(one));
}

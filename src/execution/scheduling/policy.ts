import type { FilterName } from './filter-plugins.ts';
import type { OrderName } from './order-plugins.ts';
import type { ScoreName } from './score-plugins.ts';
import { defaultsOf, type SettingsOf, type SettingTable } from './setting.ts';

/** The numbers of a policy. */
export const POLICY_SETTINGS = {
  lagSeconds: {
    default: 3,
    min: 0,
    max: 1e9,
    what: 'How far a company may run ahead of the one that had least, in seconds of running time ÷ weight (B).',
  },
  tightLagSeconds: {
    default: 60,
    min: 0,
    max: 1e9,
    what: 'How much further while its error budget burns.',
  },
  agingMs: {
    default: 30 * 60_000,
    min: 1_000,
    max: 1e12,
    what: 'After this wait, ms, a ticket is aged: it takes part in agingShare, whatever its order.',
  },
  agingShare: {
    default: 0.02,
    min: 0,
    max: 1,
    what: 'Share of the assignments that goes to aged tickets, when there are any.',
  },
  sampleAll: { default: 64, min: 1, max: 100_000, what: 'Up to so many free agents of a class are all looked at.' },
  sampleSize: {
    default: 8,
    min: 1,
    max: 1_000,
    what: 'Of more so many are looked at, by chance; of up to 256 all when more are free than wait.',
  },
  lookAhead: {
    default: 1_024,
    min: 1,
    max: 10_000,
    what: 'Tickets of a class that one cycle may hold for busy agents.',
  },
  holdMaxMs: {
    default: 3_600_000,
    min: 0,
    max: 1e12,
    what: 'Longest time that a ticket is held for a better agent, ms.',
  },
  holdFactor: {
    default: 4,
    min: 0,
    max: 1e6,
    what: 'A ticket is held at most for so many times what it would take on the best free agent.',
  },
  lastResortAfterMs: {
    default: 30_000,
    min: 0,
    max: 1e12,
    what: 'How long no other agent has had room before agents of last resort work, ms.',
  },
} as const satisfies SettingTable;

/** Caps on what runs at once; null = none. */
export type Caps = {
  /** SCHEDULER_MAX_PARALLEL_TICKETS. */
  running: number | null;
  perCompany: number | null;
  /** By label of the agent: `{ "provider=openai": 10 }`. */
  perLabel: Readonly<Record<string, number>>;
};

export const PRESETS = ['adaptive', 'fairness', 'round-robin', 'critical-first'] as const;
export type Preset = (typeof PRESETS)[number];

/** How companies stand to each other: by bounded lag, by turns, or not at all. */
export const COMPANY_RULES = ['lag', 'turns', 'none'] as const;

/** How tickets are ordered and placed: names of plugins and numbers, nothing else, so that it can be stored and audited. */
export type Policy = SettingsOf<typeof POLICY_SETTINGS> & {
  preset: Preset;
  companies: (typeof COMPANY_RULES)[number];
  order: readonly OrderName[];
  filters: readonly FilterName[];
  /** Weights of the parts of the score; a part that is not named does not count. */
  scores: Readonly<Partial<Record<ScoreName, number>>>;
  /** Weight of a company by its tier; a tier that is not named weighs 1. */
  tiers: Readonly<Record<string, number>>;
  /** A ticket waits for a busy agent that ends it sooner than a free one. */
  hold: boolean;
  /** Low-risk work tries what is not well known (Thompson sampling). */
  exploration: boolean;
  caps: Caps;
};

const ALL_FILTERS: readonly FilterName[] = [
  'task-type',
  'capability',
  'person',
  'region',
  'security-level',
  'company',
  'open',
  'breaker',
  'concurrency',
  'burst',
  'last-resort',
];

const ADAPTIVE: Policy = {
  ...defaultsOf(POLICY_SETTINGS),
  preset: 'adaptive',
  companies: 'lag',
  order: ['doomed-plans-last', 'due', 'rank', 'first-come'],
  filters: ALL_FILTERS,
  scores: { finish: 1, trail: 1.5, locality: 1, region: 1, cost: 1, load: 1 },
  tiers: { gold: 4, silver: 2, bronze: 1 },
  hold: true,
  exploration: true,
  caps: { running: null, perCompany: null, perLabel: {} },
};

const POLICIES: Readonly<Record<Preset, Policy>> = {
  adaptive: ADAPTIVE,
  fairness: { ...ADAPTIVE, preset: 'fairness', lagSeconds: 0, tightLagSeconds: 0 },
  'round-robin': {
    ...ADAPTIVE,
    preset: 'round-robin',
    companies: 'turns',
    lagSeconds: 0,
    order: ['first-come'],
    scores: { turn: 1 },
    sampleAll: 100_000,
    hold: false,
    exploration: false,
  },
  'critical-first': {
    ...ADAPTIVE,
    preset: 'critical-first',
    companies: 'none',
    order: ['score', 'deadline', 'first-come'],
    scores: { load: 1 },
    hold: false,
    exploration: false,
  },
};

/** A preset as it is, without overrides. */
export const policyOf = (preset: Preset): Policy => POLICIES[preset];

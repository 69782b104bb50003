import type { SettingsOf, SettingTable } from '../setting.ts';

/** How trails fade and how much they are believed; the defaults were found by the bench `routing`. */
export const TRAIL_SETTINGS = {
  half_life_h: {
    default: 6,
    min: 0.01,
    max: 8_760,
    what: 'Hours in which what was observed of an agent loses half of its weight',
  },
  half_life_visits: {
    default: 25,
    min: 1,
    max: 100_000,
    what: 'The same in outcomes of the type for each agent that does it, so that busy types forget sooner',
  },
  discount: {
    default: 0.9915,
    min: 0.5,
    max: 1,
    what: 'What remains of the recent observations of an agent and type with each new one',
  },
  lasting_discount: {
    default: 0.982,
    min: 0.5,
    max: 1,
    what: 'What remains of the lasting memory of an agent and type with each new observation',
  },
  lasting_weight: {
    default: 5.2,
    min: 0.1,
    max: 1_000,
    what: 'Observations that the lasting memory weighs as much as, for the success probability',
  },
  lasting_log_weight: {
    default: 0.7,
    min: 0.1,
    max: 1_000,
    what: 'Observations that the lasting memory weighs as much as, for the speed',
  },
  changed_weight: {
    default: 0.4,
    min: 0,
    max: 1,
    what: 'Share of these weights that remains right after an agent was found to have got worse',
  },
  prior_weight: {
    default: 5.6,
    min: 0.1,
    max: 1_000,
    what: 'Observations that weigh as much as what is expected of an agent never seen on the type',
  },
  success_prior: { default: 0.95, min: 0.01, max: 0.999, what: 'Success probability before anything was seen' },
  alarm: {
    default: 9.2,
    min: 1,
    max: 100,
    what: 'Log-likelihood at which an agent counts as having got worse (CUSUM)',
  },
  alarm_success: {
    default: 0.52,
    min: 0.01,
    max: 0.95,
    what: 'Share of its success probability that an agent which got worse is supposed to keep',
  },
  alarm_slower: {
    default: 1.2,
    min: 0.1,
    max: 10,
    what: 'Standard deviations by which an agent which got worse is supposed to be slower',
  },
  sampling_confidence: {
    default: 5,
    min: 0.1,
    max: 1_000,
    what: 'Multiple of the evidence when a draw is made: above 1 = explores less than Thompson sampling',
  },
  max_pairs: { default: 50_000, min: 1, max: 1_000_000, what: 'Pairs of agent and type that are remembered' },
  max_types_of_agent: { default: 48, min: 1, max: 10_000, what: 'Types of one agent that are remembered' },
} as const satisfies SettingTable;
export type TrailSettings = SettingsOf<typeof TRAIL_SETTINGS>;

import { WAITS_FOR } from '../../execution/swarm/scheduling-views.ts';
import { flag, openObject, shape, text, textList, textOrNull, time, timeOrNull } from './answer-schemas.ts';
import type { DocSchema } from './operation.ts';

const number = { type: 'number' } as const;
const count = { type: 'integer', minimum: 0 } as const;
const numberOrNull = { type: ['number', 'null'] } as const;
const listOf = (fields: { readonly [name: string]: unknown }): DocSchema => ({ type: 'array', items: shape(fields) });
const orNull = (description: string, fields: { readonly [name: string]: unknown }): DocSchema => ({
  ...shape(fields),
  type: ['object', 'null'],
  description,
});

const mode = { type: 'string', enum: ['normal', 'tight', 'critical'], description: 'State of its error budget.' };
const burn = {
  type: 'object',
  additionalProperties: number,
  description: 'Burn rates by window in seconds; 1 = the budget is used up exactly at its end.',
};

const backlog = {
  class: { ...text, description: 'Names the class; for `?class=` of the autoscalers.' },
  task_type: text,
  capabilities: textList,
  tickets: { ...count, description: 'That wait for an agent.' },
  backlog_seconds: { ...number, description: 'Expected work of them, on an agent of ordinary speed.' },
  capacity: { ...number, description: 'Slots of the agents that take the class now, by their speed.' },
  drain_seconds: { ...numberOrNull, description: 'backlog ÷ capacity; null = nobody can do it.' },
  agents: count,
};

const queue = {
  class: text,
  since: time,
  position: { ...count, description: 'In its class; 1 = the next one.' },
  of: { ...count, description: 'How many wait in its class.' },
  overall: { ...count, description: 'Among all that wait, estimated.' },
  overall_of: count,
  ahead: shape({
    tickets: count,
    seconds: { ...number, description: 'Expected work of them.' },
    companies: { ...listOf({ instance: text, tickets: count }), description: 'Most first; then `others`.' },
  }),
  doomed: { ...flag, description: 'It cannot end before its deadline any more, and stands behind those that can.' },
  agents: { ...count, description: 'To choose from.' },
  filters: {
    ...listOf({ name: text, removed: { ...count, description: 'Agents.' }, what: text }),
    description: 'In the order in which they are asked.',
  },
  candidates: {
    ...listOf({
      agent_id: text,
      score: number,
      parts: { type: 'object', additionalProperties: number },
      busy_until: { ...timeOrNull, description: 'null = it has room.' },
    }),
    description: 'The best, at most 5; the score is what it would cost, in ms.',
  },
  caps: {
    ...listOf({ name: text, limit: count, running: count }),
    description: 'Caps that are reached: `running`, `company`, or a label.',
  },
  held_for: orNull('It waits for a busy agent that would end it sooner than a free one.', {
    agent_id: text,
    until: time,
  }),
};

const company = {
  tier: text,
  weight: number,
  running: count,
  waiting: count,
  lag_seconds: {
    ...number,
    description: 'How far it is ahead of the company that had least, in seconds of running time ÷ weight.',
  },
  lag_limit_seconds: { ...number, description: 'How far it may be ahead.' },
  eligible: { ...flag, description: 'Its tickets take part now.' },
  mode,
};

const why = {
  ticket_id: text,
  plan_id: text,
  instance: text,
  task_type: text,
  state: text,
  at: time,
  waits_for: shape({
    what: {
      type: 'string',
      enum: WAITS_FOR,
      description: '`company`: the company is paused; `result`: it runs; `nothing`: it has ended.',
    },
    tickets: { ...textList, description: 'Dependencies that have not ended, at most 20.' },
    until: { ...timeOrNull, description: 'End of a backoff, or when the attempt is ended by its time limit.' },
    agent_id: { ...textOrNull, description: 'Who works on it.' },
  }),
  queue: orNull('Its place among those that wait for an agent; null = it is not among them.', queue),
  company: orNull('How its company stands; null = it does not wait for an agent.', company),
  forecast_start: orNull('null = it runs or has ended, or nobody can do it.', { p50: time, p90: time }),
};

const range = { p5: time, p50: time, p90: time };
const explain = {
  plan_id: text,
  instance: text,
  status: text,
  at: time,
  deadline: { ...timeOrNull, description: 'The last of its open tickets; null = it has ended.' },
  forecast: orNull('null = it has ended, or nobody can do what is left.', {
    start: orNull('null = it has begun.', range),
    finish: shape(range),
  }),
  at_risk: {
    type: ['string', 'null'],
    enum: ['warning', 'certain', null],
    description: '`certain`: even the optimistic bound misses the deadline.',
  },
  parts: orNull('What the forecast is made of.', {
    ahead_ms: { ...number, description: 'Work of the company that goes before.' },
    own_ms: { ...number, description: 'What is left of the plan, added up.' },
    critical_path_ms: number,
    slots: { ...number, description: "The company's share of the agents, in slots of ordinary speed." },
  }),
  error: {
    ...shape({
      n: { ...number, description: 'Forecasts that came to their end; older ones count less.' },
      bias: { ...number, description: 'Actual ÷ forecast; 1 = right on the whole.' },
      off: { ...number, description: 'Typical factor by which it is off.' },
      kept: { ...number, description: 'Share that ended by the p90.' },
    }),
    description: 'How right the forecasts of the company were so far.',
  },
  mode,
  burn,
  slowest: {
    ...listOf({
      ticket_id: text,
      task_id: text,
      task_type: text,
      state: text,
      agent_id: textOrNull,
      expected_ms: number,
      elapsed_ms: numberOrNull,
    }),
    description: 'On the critical path, longest first; at most 5.',
  },
};

const experiment = {
  state: { type: 'string', enum: ['running', 'ended'] },
  a: { ...text, description: 'A preset.' },
  b: { ...text, description: 'Another one.' },
  metric: text,
  settings: { type: 'object', additionalProperties: number },
  started_at: time,
  ended_at: timeOrNull,
  current: { ...textOrNull, description: 'The preset in force; null = it has ended.' },
  pairs: { ...count, description: 'Pairs of blocks that count.' },
  difference: {
    ...numberOrNull,
    description: 'B against A, in the unit of the metric or (latencies) as a share of A; null = not known yet.',
  },
  interval: { type: ['array', 'null'], items: number, description: 'Of the difference, at `settings.confidence`.' },
  results: { ...shape({ a: count, b: count }), description: 'That count.' },
  on_time: shape({ a: numberOrNull, b: numberOrNull }),
  winner: { ...textOrNull, description: 'null = it goes on, or no difference was found.' },
  stopped: { ...textOrNull, description: 'Why it ended.' },
  harmful: { ...textOrNull, description: 'The preset that did harm, when that is why it ended.' },
};

/** Schemas of scheduling that the document names. */
export const SCHEDULING_SCHEMAS: readonly ({ $id: string } & DocSchema)[] = [
  {
    $id: 'Policy',
    title: 'Policy',
    ...shape({
      preset: text,
      document: { ...openObject, description: 'As it was asked for.' },
      policy: { ...openObject, description: 'All of it, with every default.' },
      changed_at: { ...timeOrNull, description: 'null = as the process was started.' },
      changed_by: textOrNull,
    }),
  },
  { $id: 'Backlog', title: 'Backlog', ...shape({ at: time, classes: listOf(backlog) }) },
  {
    $id: 'Trail',
    title: 'Trail',
    ...shape({
      task_type: text,
      agent_id: text,
      instance: { ...textOrNull, description: 'null = it serves every company.' },
      successes: { ...number, description: 'Decayed, as the failures.' },
      failures: number,
      success: { ...number, description: 'Probability that an attempt succeeds.' },
      factor: { ...number, description: 'Multiple of the ordinary duration; below 1 = faster.' },
      last_at: time,
    }),
  },
  {
    $id: 'Budget',
    title: 'Budget',
    ...shape({
      instance: text,
      task_type: text,
      target: { ...number, description: 'Share within the deadline that is promised.' },
      burn,
      remaining_percent: number,
      mode,
    }),
  },
  {
    $id: 'Degradation',
    title: 'Degradation',
    ...shape({
      step: { ...count, description: 'The highest in force; 0 = none.' },
      steps: listOf({ step: count, name: text, what: text, active: flag, since: timeOrNull, why: textOrNull }),
      never: { ...textList, description: 'What is never given up.' },
    }),
  },
  {
    $id: 'Experiment',
    title: 'Experiment',
    description: 'Its settings, what is known so far and, when it has ended, the result.',
    ...shape(experiment),
  },
  { $id: 'Why', title: 'Why', ...shape(why) },
  { $id: 'Explanation', title: 'Explanation', ...shape(explain) },
];

import type { ReadyTicket } from './ready-ticket.ts';
import type { AgentState } from './scheduler-state.ts';

/** What is known of the ticket on the agent that is looked at. */
export type ScoreMoment = {
  now: number;
  /** Expected duration on an ordinary agent, ms. */
  base: number;
  /** Multiple of the base that this agent takes. */
  factor: number;
  /** Probability in (0, 1) that the attempt succeeds there. */
  success: number;
};

/**
 * One part of what it costs to give a ticket to an agent, in ms: the policy adds them up by its weights, and the least
 * wins. To add one, add it to SCORE_PLUGINS here; its name can then stand in a policy.
 */
export type ScorePlugin = {
  what: string;
  cost(ticket: ReadyTicket, state: AgentState, moment: ScoreMoment): number;
};

const regionOf = ({ agent }: AgentState): string | null => agent.region ?? agent.labels.region ?? null;

export const SCORE_PLUGINS = {
  finish: {
    what: 'Expected time to a result: duration there ÷ probability of success.',
    cost: (_ticket, _state, { base, factor, success }) => (base * factor) / success,
  },
  trail: {
    what: 'Expected failures before a result, each the price of an ordinary run: failing fast is no gain.',
    cost: (_ticket, _state, { base, success }) => (base * (1 - success)) / success,
  },
  locality: {
    what: 'A tenth of a run when the data lies elsewhere: none of what it depends on was done there.',
    cost: ({ near }, { agent }, { base }) => (near.length === 0 || near.includes(agent.key) ? 0 : base / 10),
  },
  region: {
    what: 'A tenth of a run when it is not in the region that metadata.prefer_region or data_location names.',
    cost: ({ spec: { metadata } }, state, { base }) => {
      const wanted = metadata.prefer_region ?? metadata.data_location;
      return wanted === undefined || wanted === regionOf(state) ? 0 : base / 10;
    },
  },
  cost: {
    what: 'Price of the run by the agent’s label cost_per_hour; a unit of money counts as a minute.',
    cost: (_ticket, { costPerHour }, { base, factor, success }) =>
      costPerHour === 0 ? 0 : ((costPerHour * base * factor) / success / 3_600_000) * 60_000,
  },
  load: {
    what: 'A hundredth of a run times the share of its slots that are taken.',
    cost: (_ticket, { agent, runs }, { base }) => (base * runs.size) / agent.concurrency / 100,
  },
  turn: { what: 'By turns: who was given a ticket longest ago.', cost: (_ticket, { turn }) => turn },
} as const satisfies Record<string, ScorePlugin>;
export type ScoreName = keyof typeof SCORE_PLUGINS;

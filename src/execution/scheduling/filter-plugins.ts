import type { ReadyTicket } from './ready-ticket.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';
import type { AgentState, Guard, TicketClass, Wanted } from './scheduler-state.ts';

/** What a filter may ask of the moment. */
export type FilterMoment = {
  now: number;
  guard(agentKey: string, type: string, now: number): Guard;
  /** The agents of the burst pool may work for the class. */
  burstOpen(classKey: string, now: number): boolean;
  /** How long no other agent has had room before an agent of last resort may, ms. */
  lastResortAfterMs: number;
  /** Agents of last resort may work for the class at all. */
  lastResortOpen(classKey: string): boolean;
  /** People who offer it (label fallback) may get what did not ask for a person. */
  peopleOpen(): boolean;
};

/**
 * One reason why an agent does not get a ticket. `fits` is asked once for each class and agent and remembered until the
 * agent changes; `allows` each time. To add one, add it to FILTER_PLUGINS here and name it in a policy.
 */
export type FilterPlugin = {
  what: string;
  fits?(wanted: Wanted, agent: SchedulerAgent): boolean;
  allows?(ticket: ReadyTicket, of: TicketClass, state: AgentState, moment: FilterMoment): boolean;
};

export const SECURITY_LEVELS = ['PUBLIC', 'INTERNAL', 'CONFIDENTIAL', 'RESTRICTED'];

/** The highest security level that an agent may see, by its label `security_level`; without the label, all. */
export function clearanceOf({ labels }: Pick<SchedulerAgent, 'labels'>): number {
  const label = labels.security_level;
  // A label that says nothing known must not open everything.
  return label === undefined ? SECURITY_LEVELS.length - 1 : Math.max(0, SECURITY_LEVELS.indexOf(label.toUpperCase()));
}

/** Open agents of the class that are not of last resort. */
const hasOthers = ({ shared, bound }: TicketClass, instance: string): boolean =>
  [shared, bound.get(instance) ?? []].some((states) =>
    states.some(({ agent, lastResort }) => agent.open && !lastResort),
  );

export const FILTER_PLUGINS = {
  'task-type': {
    what: 'It does not do this type of task.',
    fits: ({ taskType, customType }, { taskTypes }) =>
      taskTypes.has(taskType) || (customType !== null && taskTypes.has(customType)),
  },
  capability: {
    what: 'It lacks a capability that the ticket requires.',
    fits: ({ capabilities }, agent) => capabilities.every((capability) => agent.capabilities.has(capability)),
  },
  person: {
    what: 'It is a person, and the ticket does not ask for one.',
    fits: ({ capabilities }, { kind, labels }) =>
      kind !== 'person' || capabilities.length > 0 || labels.fallback === 'true',
    allows: (_ticket, { capabilities }, { agent }, { peopleOpen }) =>
      agent.kind !== 'person' || capabilities.length > 0 || peopleOpen(),
  },
  region: {
    what: 'It is not in the region that the ticket requires.',
    fits: ({ region }, agent) => region === null || region === agent.region || region === agent.labels.region,
  },
  'security-level': {
    what: 'The ticket’s security level is above the one it may see.',
    fits: ({ securityLevel }, agent) => SECURITY_LEVELS.indexOf(securityLevel) <= clearanceOf(agent),
  },
  company: {
    what: 'It works for another company only.',
    allows: ({ instance }, _class, { agent }) => agent.instance === null || agent.instance === instance,
  },
  open: {
    what: 'It is suspect, draining or cordoned.',
    allows: (_ticket, _class, { agent }) => agent.open,
  },
  breaker: {
    what: 'It fails too much: its breaker is open, or it is ejected.',
    allows: (_ticket, { type }, { agent }, { guard, now }) => guard(agent.key, type, now).allows,
  },
  concurrency: {
    what: 'It runs as many tickets as it can, or as it bears now.',
    allows: (_ticket, { type }, { agent, runs }, { guard, now }) =>
      runs.size < Math.min(agent.concurrency, guard(agent.key, type, now).limit),
  },
  burst: {
    what: 'It belongs to the burst pool, which is closed.',
    allows: (_ticket, { key }, { burst }, { burstOpen, now }) => !burst || burstOpen(key, now),
  },
  'last-resort': {
    what: 'It is an agent of last resort: others have had room, or the class is not overloaded.',
    allows: ({ instance }, of, { lastResort }, { now, lastResortAfterMs, lastResortOpen }) =>
      !lastResort ||
      (now - Math.max(of.roomAt, of.busySince) >= lastResortAfterMs &&
        (lastResortOpen(of.key) || !hasOthers(of, instance))),
  },
} as const satisfies Record<string, FilterPlugin>;
export type FilterName = keyof typeof FILTER_PLUGINS;

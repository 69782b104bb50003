import { ColmeiaError } from '../../platform/errors.ts';
import type { FlowEngine } from '../flow/flow-engine.ts';
import type { Swarm } from './swarm.ts';

/** Why a new decision is refused because the fleet is far over what it can carry; null = it is taken. */
export function refuseOverload(swarm: Swarm, engine: FlowEngine, instance: string): ColmeiaError | null {
  if (!swarm.contingency.isActive('refuse-bronze')) return null;
  const companies = engine.ownedCompanies().map((name) => ({ name, open: engine.openTickets(name) }));
  const waiting = companies.filter(({ open }) => open > 0);
  const weights = waiting.reduce((sum, { name }) => sum + swarm.scheduler.weightOf(name), 0);
  const open = engine.openTickets(instance);
  const all = waiting.reduce((sum, each) => sum + each.open, 0);
  const share = weights === 0 ? Infinity : (all * swarm.scheduler.weightOf(instance)) / weights;
  const refused = swarm.refusal({ instance, open, share });
  if (refused === null) return null;
  const message = `the fleet is overloaded: company "${instance}" has ${open} open tickets, and its share of the queue is ${Math.floor(share)}`;
  return new ColmeiaError('QUEUE_FULL', message, refused);
}

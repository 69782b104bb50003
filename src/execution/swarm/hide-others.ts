import type { Principal } from '../../trust/identity/principal.ts';
import { SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';
import { agentIdOf } from '../agents/agent.ts';
import type { WhyView } from './scheduling-views.ts';

const OTHERS = 'others';

/**
 * A view for its caller: agents by their ids instead of keys, and whatever is another company's as `others`, so that a
 * company learns how much is ahead of it and never whose it is.
 */
export function hideOthers(who: Principal, view: WhyView): WhyView {
  if (view.queue === null) return view;
  const { queue } = view;
  const own = who.instance;
  const agent = (key: string): string => {
    const instance = key.slice(0, key.indexOf('/'));
    return own === null || instance === own || instance === SYSTEM_INSTANCE ? agentIdOf(key) : OTHERS;
  };
  let hidden = 0;
  const companies = queue.ahead.companies.filter(({ instance, tickets }) => {
    const isSeen = own === null || instance === own;
    if (!isSeen) hidden += tickets;
    return isSeen;
  });
  if (hidden > 0) companies.push({ instance: OTHERS, tickets: hidden });
  return {
    ...view,
    queue: {
      ...queue,
      ahead: { ...queue.ahead, companies },
      candidates: queue.candidates.map((one) => ({ ...one, agent_id: agent(one.agent_id) })),
      held_for: queue.held_for === null ? null : { ...queue.held_for, agent_id: agent(queue.held_for.agent_id) },
    },
  };
}

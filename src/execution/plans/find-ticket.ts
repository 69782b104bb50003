import { ColmeiaError } from '../../platform/errors.ts';
import type { Store } from '../../platform/store/store.ts';
import { scopeOf } from '../../trust/identity/may.ts';
import type { Principal } from '../../trust/identity/principal.ts';
import { parseTicketId } from './plan.ts';
import { findTicket, type FoundTicket } from './plan-store.ts';

/** The one ticket a caller means; throws TICKET_NOT_FOUND, of another company's too. */
export async function findTicketById(store: Store, who: Principal, ticketId: string): Promise<FoundTicket> {
  const place = parseTicketId(ticketId);
  const found = place && (await findTicket(store, scopeOf(who), place.key, place.n));
  if (!found) throw new ColmeiaError('TICKET_NOT_FOUND', `ticket "${ticketId}" not found`);
  return found;
}

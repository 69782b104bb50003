import { after, before, describe } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia, type ColmeiaOptions } from '../../src/index.ts';
import { agentsConformance } from './agents.conformance.ts';
import { companiesConformance } from './companies.conformance.ts';
import { copiesConformance } from './copies.conformance.ts';
import { decisionsConformance } from './decisions.conformance.ts';
import { fleetConformance, HEARTBEAT_MS } from './fleet.conformance.ts';
import { interventionsConformance } from './interventions.conformance.ts';
import { QUICK, type Open, type OpenPlace, type Place } from './place.ts';
import { MOST_OPEN, queuesConformance } from './queues.conformance.ts';
import { restartsConformance } from './restarts.conformance.ts';
import { runsConformance } from './runs.conformance.ts';

/** What everybody may rely on of the flow, through the public face, on whatever database. */
export function flowConformance(name: string, place: OpenPlace): void {
  describe(`the flow on ${name}`, () => {
    withColmeia('with everything by default', place, QUICK, (colmeia) => {
      decisionsConformance(colmeia);
      runsConformance(colmeia);
      interventionsConformance(colmeia);
      copiesConformance(colmeia);
      companiesConformance(colmeia);
    });
    withColmeia('with leases of 300 ms', place, { ...QUICK, leaseDurationMs: 300 }, agentsConformance);
    const brisk = { ...QUICK, leaseDurationMs: 5_000, heartbeatIntervalMs: HEARTBEAT_MS };
    withColmeia('with heartbeats every 300 ms', place, brisk, fleetConformance);
    const few = { ...QUICK, maxOpenTicketsPerCompany: MOST_OPEN };
    withColmeia(`with at most ${MOST_OPEN} open tickets a company`, place, few, queuesConformance);
    restartsConformance(place);
  });
}

function withColmeia(title: string, place: OpenPlace, options: ColmeiaOptions, tests: (colmeia: Open) => void): void {
  describe(title, () => {
    let at: Place;
    let colmeia: Colmeia;
    before(async () => {
      at = await place(false);
      colmeia = await createColmeia({ ...options, ...at.options });
    });
    after(async () => {
      await colmeia?.close();
      await at?.remove();
    });
    tests(() => colmeia);
  });
}

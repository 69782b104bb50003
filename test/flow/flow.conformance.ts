import { after, before, describe } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia, type ColmeiaOptions } from '../../src/index.ts';
import { agentsConformance } from './agents.conformance.ts';
import { companiesConformance } from './companies.conformance.ts';
import { decisionsConformance } from './decisions.conformance.ts';
import { restartsConformance } from './restarts.conformance.ts';
import { runsConformance } from './runs.conformance.ts';

/** An empty database. `kept`: it outlives the Colmeia that opened it. */
export type Place = { options: ColmeiaOptions; remove(): Promise<void> };
export type OpenPlace = (kept: boolean) => Promise<Place>;
/** The Colmeia of a group of tests; there once the group runs. */
export type Open = () => Colmeia;

/** Short waits, so that tests of time need little of it. */
export const QUICK: ColmeiaOptions = {
  policy: {
    backoff: { baseMs: 40, maxMs: 200, quotaMs: 120 },
    tickets: {
      minTimeoutMs: 60_000,
      timeoutFactor: 3,
      defaultTimeoutMs: 3_600_000,
      maxRetries: { critical: 5, high: 3, medium: 2, low: 1 },
    },
    stopGraceMs: 2_000,
  },
};

/** What everybody may rely on of the flow, through the public face, on whatever database. */
export function flowConformance(name: string, place: OpenPlace): void {
  describe(`the flow on ${name}`, () => {
    withColmeia('with everything by default', place, QUICK, (colmeia) => {
      decisionsConformance(colmeia);
      runsConformance(colmeia);
      companiesConformance(colmeia);
    });
    withColmeia('with leases of 300 ms', place, { ...QUICK, leaseDurationMs: 300 }, agentsConformance);
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

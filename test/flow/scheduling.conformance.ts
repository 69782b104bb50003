import { describe } from 'node:test';
import { learningConformance } from './learning.conformance.ts';
import { outlookConformance } from './outlook.conformance.ts';
import type { OpenPlace } from './place.ts';
import { policyConformance } from './policy.conformance.ts';
import { pressureConformance } from './pressure.conformance.ts';
import { sharesConformance } from './shares.conformance.ts';

/** What the scheduler does at work, on whatever database; each test has a Colmeia of its own, whose clock can leap. */
export function schedulingConformance(name: string, place: OpenPlace): void {
  describe(`scheduling on ${name}`, () => {
    policyConformance(place);
    sharesConformance(place);
    learningConformance(place);
    pressureConformance(place);
    outlookConformance(place);
  });
}

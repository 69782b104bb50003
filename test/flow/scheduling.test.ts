import { embeddedPlace } from './embedded-place.ts';
import { schedulingConformance } from './scheduling.conformance.ts';

schedulingConformance('the embedded database', embeddedPlace);

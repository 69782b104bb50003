import { embeddedPlace } from './embedded-place.ts';
import { flowConformance } from './flow.conformance.ts';

flowConformance('the embedded database', embeddedPlace);

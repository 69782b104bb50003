import { embeddedPlace } from '../flow/embedded-place.ts';
import { trustConformance } from './trust.conformance.ts';

trustConformance('the embedded database', embeddedPlace, 1);

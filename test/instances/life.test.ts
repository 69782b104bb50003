import { after, before, describe } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia } from '../../src/index.ts';
import { QUICK } from '../flow/place.ts';
import { deletionConformance } from './deletion.conformance.ts';
import { lifeConformance } from './life.conformance.ts';

describe('the life of a company on the embedded database', () => {
  let colmeia: Colmeia;
  before(async () => void (colmeia = await createColmeia(QUICK)));
  after(() => colmeia?.close());
  lifeConformance(() => colmeia);
  deletionConformance(() => colmeia);
});

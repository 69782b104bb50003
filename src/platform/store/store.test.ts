import { openStore } from './open-store.ts';
import { storeConformance } from './store.conformance.ts';

storeConformance('PGlite', async () => {
  const store = await openStore({ databaseUrl: null, dataFolder: null });
  return { store, end: () => store.close() };
});

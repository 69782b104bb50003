// Flushes the journal of one company for ever and reports each number after it was acknowledged; a test kills it.
import { openStore } from './open-store.ts';
import { flusherOf, journalRow } from './store.conformance.ts';

const [dataFolder, first] = process.argv.slice(2);
const store = await openStore({ databaseUrl: null, dataFolder: dataFolder! });
const { flush } = await flusherOf(store);
for (let seq = Number(first); ; seq++) {
  await flush(journalRow('default', seq));
  process.send!(seq);
}

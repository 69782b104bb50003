import { openEmbeddedStore } from './embedded-store.ts';
import { type Store } from './store.ts';

export type StoreOptions = {
  /** A server, as in `postgresql://user@host/database`; null = PGlite in this process. */
  databaseUrl: string | null;
  /** Only when embedded; null = in memory, for tests. */
  dataFolder: string | null;
  /** Only when embedded. Default 16. */
  sharedBuffersMb?: number;
  log?: (event: object, message: string) => void;
};

/**
 * Opens the database of this process, migrated. Throws STORE_UNAVAILABLE when it cannot be reached, DATA_FOLDER_LOCKED or
 * DATA_FOLDER_NEWER when it must not be touched.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  if (options.databaseUrl === null) return openEmbeddedStore(options);
  const { openServerStore } = await import('./server-store.ts'); // the driver costs start time and memory
  return openServerStore({ ...options, databaseUrl: options.databaseUrl });
}

import { type Row } from '../../../../platform/store/store.ts';

/** What a worker is started with. */
export type WorkerStart = {
  /** The database's own folder; unpacked from the seed when it is missing. */
  folder: string;
  seedFile: string;
  sharedBuffersMb: number;
  parts: { module: object; files: Blob };
};

/** What is asked of a worker, one thing at a time. `role` null = as ourselves. */
export type WorkerCall =
  /** Begins a transaction, on a session that keeps nothing of the one before. */
  | { kind: 'begin'; text: string }
  | { kind: 'script'; text: string }
  | { kind: 'run'; role: string; text: string }
  | { kind: 'query'; role: string | null; text: string; values: readonly unknown[] }
  /** Checkpoint, then a copy of the database's folder to `to`, which is replaced. */
  | { kind: 'copy'; to: string }
  /** Checkpoint and a clean end. */
  | { kind: 'close' };

/** Errors lose their fields between threads. */
export type WorkerError = {
  name: string;
  message: string;
  fields: Record<string, unknown>;
  crash: boolean;
  full: boolean;
};

export type WorkerAnswer = { value: Row[] | string | null; error: WorkerError | null };

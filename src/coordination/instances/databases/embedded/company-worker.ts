// The thread of one PGlite folder: whatever its SQL does, the control plane and the other companies do not wait for it.
import fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

import { PgliteCrash, PgliteSession } from '../../../../platform/store/pglite-session.ts';
import { restoreSeed, unpackSeed } from '../../../../platform/store/seed.ts';
import { type Row } from '../../../../platform/store/store.ts';
import { queryInGate, runInGate } from './gate.ts';
import { type WorkerAnswer, type WorkerCall, type WorkerError, type WorkerStart } from './worker-messages.ts';

/** As in the control plane's own database: PGlite never checkpoints by itself. */
const CHECKPOINT_WAL_BYTES = 8 * 1024 * 1024;
const MEASURE_EVERY_TRANSACTIONS = 16;

const start = workerData as WorkerStart;
const port = parentPort!;

let transactions = 0;
let isUsed = false; // by a company, since the last `discard all`
let isInTransaction = false;
let walAtCheckpoint = 0;

await answer(async () => {
  if (!fs.existsSync(start.folder)) await restoreSeed(unpackSeed(fs.readFileSync(start.seedFile)), start.folder);
  const session = await PgliteSession.open(start.folder, start.sharedBuffersMb, { parts: start.parts });
  walAtCheckpoint = await walPosition(session);
  port.on('message', (call: WorkerCall) => void answer(() => carryOut(session, call)));
  return null;
});

async function answer(work: () => Promise<WorkerAnswer['value']>): Promise<void> {
  try {
    post({ value: await work(), error: null });
  } catch (error) {
    post({ value: null, error: describe(error) });
  }
}

function post(message: WorkerAnswer): void {
  port.postMessage(message);
}

async function carryOut(session: PgliteSession, call: WorkerCall): Promise<Row[] | string | null> {
  switch (call.kind) {
    case 'begin':
      await forgetCompany(session);
      isInTransaction = true;
      if (++transactions % MEASURE_EVERY_TRANSACTIONS === 0) await checkpointWhenDue(session);
      return session.script(call.text);
    case 'script':
      return endOrScript(session, call.text);
    case 'run':
      isUsed = true;
      await runInGate(session, call.role, call.text);
      return null;
    case 'query':
      if (call.role === null) {
        if (!isInTransaction) await forgetCompany(session);
        return session.query(call.text, call.values);
      }
      isUsed = true;
      return queryInGate(session, call.role, call.text, call.values);
    case 'copy':
      await session.script('checkpoint');
      copyFolder(call.to);
      return null;
    case 'close':
      await session.script('checkpoint');
      await session.close();
      port.close();
      return null;
  }
}

/** What a company has set must not be in force when the superuser asks: with another search_path, operators of its own would run. */
async function forgetCompany(session: PgliteSession): Promise<void> {
  if (isUsed) await session.script('discard all');
  isUsed = false;
}

async function endOrScript(session: PgliteSession, text: string): Promise<string> {
  const isEnd = text === 'commit' || text === 'rollback';
  // A cursor WITH HOLD would run the company's query to its end in the commit, as the superuser. A failed transaction keeps none.
  if (text === 'commit' && isUsed) await session.script('close all').catch(() => undefined);
  if (isEnd) isInTransaction = false;
  return session.script(text);
}

/** PGlite writes nothing between two calls, so the files are of one moment. */
function copyFolder(to: string): void {
  fs.rmSync(to, { recursive: true, force: true });
  fs.cpSync(start.folder, to, { recursive: true, mode: fs.constants.COPYFILE_FICLONE });
}

async function walPosition(session: PgliteSession): Promise<number> {
  const [row] = await session.query(
    `select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0') as at`,
    [],
  );
  return Number(row!.at);
}

async function checkpointWhenDue(session: PgliteSession): Promise<void> {
  if ((await walPosition(session)) - walAtCheckpoint < CHECKPOINT_WAL_BYTES) return;
  await session.script('checkpoint');
  walAtCheckpoint = await walPosition(session);
}

function describe(error: unknown): WorkerError {
  const { name, message, ...own } = error as Error;
  const fields = Object.fromEntries(Object.entries(own).filter(([, value]) => typeof value === 'string'));
  const crash = error instanceof PgliteCrash;
  return { name, message, fields, crash, full: crash && error.diskFull };
}

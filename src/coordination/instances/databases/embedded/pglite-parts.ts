import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { type WorkerStart } from './worker-messages.ts';

/** `lib` has no types of the web. */
declare const WebAssembly: { compile(bytes: Uint8Array): Promise<object> };

let parts: Promise<WorkerStart['parts']> | undefined;

/** PGlite's program, compiled once for all threads of this process, and its files. */
export function pgliteParts(): Promise<WorkerStart['parts']> {
  return (parts ??= load());
}

async function load(): Promise<WorkerStart['parts']> {
  const folder = path.dirname(fileURLToPath(import.meta.resolve('@electric-sql/pglite')));
  const [program, files] = await Promise.all(
    ['pglite.wasm', 'pglite.data'].map((name) => fs.readFile(path.join(folder, name))),
  );
  return { module: await WebAssembly.compile(program!), files: new Blob([files!]) };
}

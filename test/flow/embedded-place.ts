import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { OpenPlace } from './place.ts';

/** The embedded database: in memory, or in a folder that goes in the end. */
export const embeddedPlace: OpenPlace = async (kept) => {
  if (!kept) return { options: { dataFolder: null }, remove: async () => {} };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-flow-'));
  return {
    options: { dataFolder: path.join(folder, 'data') },
    remove: async () => fs.rmSync(folder, { recursive: true, force: true }),
  };
};

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { flowConformance } from './flow.conformance.ts';

flowConformance('the embedded database', async (kept) => {
  if (!kept) return { options: { dataFolder: null }, remove: async () => {} };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-flow-'));
  return {
    options: { dataFolder: path.join(folder, 'data') },
    remove: async () => fs.rmSync(folder, { recursive: true, force: true }),
  };
});

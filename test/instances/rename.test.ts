import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createColmeia } from '../../src/index.ts';
import { renameConformance, type RenamePlace } from './rename.conformance.ts';

async function embedded(strategy: string): Promise<RenamePlace> {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-rename-'));
  const instancesFolder = path.join(home, 'instances');
  const colmeia = await createColmeia({ dataFolder: path.join(home, 'data'), instancesFolder });
  const companies = path.join(home, 'data/companies');
  return {
    colmeia,
    instancesFolder,
    strategy,
    url: null,
    remains: async () =>
      fs.existsSync(companies) ? fs.readdirSync(companies).filter((name) => name !== '$common') : [],
    async close() {
      await colmeia.close();
      fs.rmSync(home, { recursive: true, force: true });
    },
  };
}

for (const strategy of ['hybrid', 'schema']) renameConformance(`${strategy}, embedded`, () => embedded(strategy));

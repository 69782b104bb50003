import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openCompanyDatabases } from '../../src/coordination/instances/databases/open-company-databases.ts';
import { companySqlConformance } from './company-sql.conformance.ts';

companySqlConformance('schemas in a common PGlite', async () => {
  const dataFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-hostile-sql-'));
  const secrets = { reveal: async () => null, put: async () => undefined };
  const databases = await openCompanyDatabases({ databaseUrl: null, dataFolder, secrets });
  return {
    databases,
    atOnce: false,
    async end() {
      await databases.close();
      fs.rmSync(dataFolder, { recursive: true });
    },
  };
});

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { type Strategy } from '../../src/coordination/instances/instance-views.ts';
import { companyDatabasesConformance } from '../../src/coordination/instances/databases/company-databases.conformance.ts';
import { type ConformancePlace } from '../../src/coordination/instances/databases/conformance-place.testing.ts';
import { openCompanyDatabases } from '../../src/coordination/instances/databases/open-company-databases.ts';
import { placeFor } from '../../src/coordination/instances/databases/place-for.testing.ts';

const DEADLINE_MS = 2_000;

function embedded(strategy: Strategy, kinds: string[]): () => Promise<ConformancePlace> {
  return async () => {
    const dataFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-companies-test-'));
    const none = { reveal: async () => null, put: async () => undefined };
    const databases = await openCompanyDatabases({
      databaseUrl: null,
      dataFolder,
      secrets: none,
      deadlineMs: DEADLINE_MS,
    });
    return {
      databases,
      place: async (instance) => placeFor(instance, strategy),
      async destroy(place) {
        if (strategy === 'schema')
          await databases.use(place, 'write', (sql) => sql.query('drop schema company_vanishing cascade'));
        else fs.rmSync(path.join(dataFolder, 'companies', place.id), { recursive: true });
      },
      deadlineMs: DEADLINE_MS,
      hasOwnRoles: true,
      kinds,
      async end() {
        await databases.close();
        fs.rmSync(dataFolder, { recursive: true });
      },
    };
  };
}

companyDatabasesConformance('a PGlite folder of its own', embedded('hybrid', ['database']));
companyDatabasesConformance('a schema in a common PGlite', embedded('schema', ['role', 'schema']));

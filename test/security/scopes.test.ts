import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LOCAL_OPERATOR, SCOPES, type KeyScope } from '../../src/trust/identity/principal.ts';
import { createServerForTest, operationsOf, type OpenApiOperation, type TestServer } from '../support/server.ts';

/** Where the rule below does not say it: what the operation needs. */
const EXCEPTIONS: Record<string, KeyScope> = {
  approvePlan: 'approve',
  rejectPlan: 'approve',
  claimTicket: 'approve',
  queryWorkflow: 'read',
  validateInstance: 'read',
  listDifferences: 'administer',
  listExports: 'administer',
  getExport: 'administer',
};
/** Groups of which a change is administration, and those of which a look is too. */
const ADMINISTERED = ['instances', 'operations', 'keys', 'secrets', 'scheduling'];
const GUARDED = ['keys', 'secrets'];

function scopeNeeded(method: string, { operationId, tags: [tag] }: Described): KeyScope {
  const exception = EXCEPTIONS[operationId];
  if (exception !== undefined) return exception;
  if (method === 'GET') return GUARDED.includes(tag!) ? 'administer' : 'read';
  return ADMINISTERED.includes(tag!) ? 'administer' : 'run';
}

type Described = OpenApiOperation & { tags: string[] };
type Route = { method: string; path: string; operation: Described };

let server: TestServer;
let routes: Route[];
const keys = new Map<string, string>();

before(async () => {
  server = await createServerForTest();
  const all = operationsOf(server.document) as Route[];
  routes = all.filter(({ operation }) => operation.security.length > 0);
  for (const scope of SCOPES)
    keys.set(scope, (await server.colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator', scopes: [scope] })).key);
});
after(() => server.close());

function call({ method, path, operation }: Route, key: string) {
  const example =
    operation.operationId === 'leaseTickets'
      ? { max: 1, wait_ms: 0 }
      : operation.requestBody?.content['application/json']?.example;
  return server.call({
    method,
    url: path.replaceAll(/\{\w+\}/g, 'nothing'),
    key,
    ...(example === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(example) }),
  });
}

test('every operation takes a key with its one scope, and refuses each other one by name', async (t) => {
  assert.ok(routes.length > 70);
  for (const route of routes) {
    const { method, path, operation } = route;
    const needed = scopeNeeded(method, operation);
    await t.test(`${operation.operationId} needs ${needed}`, async () => {
      for (const [scope, key] of [...keys].toSorted(([one]) => (one === needed ? 1 : -1))) {
        const answer = await call(route, key);
        if (scope === needed) {
          assert.notEqual(answer.status, 403, `${path} refuses ${scope}: ${answer.text}`);
          assert.ok(answer.status < 500, answer.text);
        } else {
          assert.equal(answer.status, 403, `${path} takes ${scope}: ${answer.text}`);
          assert.match(JSON.parse(answer.text).detail, new RegExp(`no scope "${needed}"`));
        }
      }
    });
  }
});

/** Every function of the library's face, with its name; those of groups within groups too. */
function functionsOf(group: object, name: string): [string, (...args: unknown[]) => Promise<unknown>][] {
  return Object.entries(group).flatMap(([key, member]) =>
    typeof member === 'function'
      ? [[`${name}${key}`, member as (...args: unknown[]) => Promise<unknown>] as const]
      : functionsOf(member as object, `${name}${key}.`),
  ) as [string, (...args: unknown[]) => Promise<unknown>][];
}

/** They take no caller. */
const WITHOUT_CALLER = ['keys.authenticate', 'health', 'ready', 'metrics', 'close'];

test('no function of the library does anything for a caller without scopes', async (t) => {
  const who = { ...LOCAL_OPERATOR, scopes: [] };
  const functions = functionsOf(server.colmeia, '').filter(([name]) => !WITHOUT_CALLER.includes(name));
  assert.ok(functions.length > 70);
  for (const [name, run] of functions) {
    await t.test(name, async () => {
      const call = (async () => run(who, {}, {}, {}, {}))();
      await assert.rejects(call, {
        code: 'FORBIDDEN',
        message: /^the key has no scope "(read|run|approve|administer)"/,
      });
    });
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InjectOptions } from 'fastify';
import type { Colmeia } from '../../../colmeia.ts';
import { ColmeiaError } from '../../../platform/errors.ts';
import { AUTHORIZED, colmeiaDouble } from '../colmeia.testing.ts';
import { createHttpApp } from '../http-app.ts';

const AT = 1_780_000_000_000;
const EXPERIMENT = '/api/v1/scheduling/experiment';
const GROUP = '/apis/external.metrics.k8s.io/v1beta1';

async function call(request: InjectOptions, scheduling: Partial<Colmeia['scheduling']> = {}) {
  const { app } = await createHttpApp({ colmeia: colmeiaDouble({ scheduling }), host: '127.0.0.1' });
  try {
    return await app.inject({ headers: AUTHORIZED, ...request });
  } finally {
    await app.close();
  }
}

test('a policy is handed on as it came, whatever it is', async () => {
  for (const document of [{ preset: 'fairness', nonsense: [1, null] }, [], 'adaptive', null, 7]) {
    let taken: unknown = 'nothing';
    const setPolicy: Colmeia['scheduling']['setPolicy'] = async (_who, given) => {
      taken = given;
      throw new ColmeiaError('INVALID_POLICY', 'the policy has 1 fault', {
        faults: [{ path: 'lag_seconds', message: 'must be a number' }],
      });
    };
    const answer = await call(
      {
        method: 'PUT',
        url: '/api/v1/scheduling/policy',
        headers: { ...AUTHORIZED, 'content-type': 'application/json' },
        payload: JSON.stringify(document),
      },
      { setPolicy },
    );
    assert.deepEqual(taken, document);
    assert.equal(answer.statusCode, 400);
    const { code, faults } = answer.json();
    assert.deepEqual([code, faults], ['INVALID_POLICY', [{ path: 'lag_seconds', message: 'must be a number' }]]);
  }
});

test('a policy without a body is refused before anything is asked', async () => {
  const setPolicy = async () => assert.fail('it was set');
  const answer = await call({ method: 'PUT', url: '/api/v1/scheduling/policy' }, { setPolicy });
  assert.deepEqual([answer.statusCode, answer.json().code], [400, 'INVALID_REQUEST']);
});

test('trails are forgotten as the query says', async () => {
  const asked: unknown[] = [];
  const resetTrails = async (_who: unknown, query: unknown) => {
    asked.push(query);
    return { removed: 3 };
  };
  const url = '/api/v1/scheduling/trails';
  const answer = await call({ method: 'DELETE', url: `${url}?task_type=BUILD&agent_id=a%201` }, { resetTrails });
  assert.deepEqual(answer.json(), { removed: 3 });
  await call({ method: 'DELETE', url }, { resetTrails });
  assert.deepEqual(asked, [{ task_type: 'BUILD', agent_id: 'a 1' }, {}]);
});

test('an experiment that never was is not found, and one under way is in conflict with a second', async () => {
  const none = await call({ url: EXPERIMENT }, { experiment: async () => null });
  assert.deepEqual([none.statusCode, none.json().code], [404, 'EXPERIMENT_NOT_FOUND']);
  const startExperiment = async (): Promise<never> => {
    throw new ColmeiaError('EXPERIMENT_RUNNING', 'an experiment is under way');
  };
  const second = await call(
    { method: 'POST', url: EXPERIMENT, payload: { a: 'adaptive', b: 'fairness' } },
    { startExperiment },
  );
  assert.deepEqual([second.statusCode, second.json().code], [409, 'EXPERIMENT_RUNNING']);
});

test('an experiment is stopped with the reason of the query', async () => {
  let given: unknown;
  const { stopExperiment: stop } = colmeiaDouble().scheduling;
  const stopExperiment: typeof stop = (who, request) => {
    given = request;
    return stop(who, request);
  };
  const answer = await call({ method: 'DELETE', url: `${EXPERIMENT}?reason=enough` }, { stopExperiment });
  assert.deepEqual([answer.statusCode, answer.json().state, given], [200, 'ended', { reason: 'enough' }]);
});

const backlog: Colmeia['scheduling']['backlog'] = async () => ({
  at: AT,
  classes: ['BUILD', 'TEST'].map((name, i) => ({
    class: name,
    task_type: name,
    capabilities: [],
    tickets: i + 1,
    backlog_seconds: 90 * (i + 1),
    capacity: i,
    drain_seconds: i === 0 ? null : 180,
    agents: i,
  })),
});

test('KEDA reads one class, or all of them, as numbers at the top', async () => {
  const url = '/api/v1/scheduling/backlog/keda';
  const one = (await call({ url: `${url}?class=TEST` }, { backlog })).json();
  assert.deepEqual([one.class, one.tickets, one.backlog_seconds, one.drain_seconds], ['TEST', 2, 180, 180]);
  const all = (await call({ url }, { backlog })).json();
  assert.deepEqual([all.class, all.tickets, all.backlog_seconds], [null, 3, 270]);
});

test('Kubernetes reads a value for each class that the selector chooses', async () => {
  const url = `${GROUP}/namespaces/any/colmeia_backlog_seconds`;
  const { items } = (await call({ url: `${url}?labelSelector=class%3DBUILD` }, { backlog })).json();
  assert.deepEqual(items, [
    {
      metricName: 'colmeia_backlog_seconds',
      metricLabels: { class: 'BUILD' },
      timestamp: '2026-05-28T20:26:40Z',
      window: 0,
      value: '90',
    },
  ]);
  const unreadable = await call({ url: `${url}?labelSelector=class%20is%20x` }, { backlog });
  assert.deepEqual([unreadable.statusCode, unreadable.json().faults[0].path], [400, 'labelSelector']);
  const unknown = await call({ url: `${GROUP}/namespaces/any/toString` }, { backlog });
  assert.deepEqual([unknown.statusCode, unknown.json().code], [404, 'ROUTE_NOT_FOUND']);
});

test('what autoscalers read needs a key too, though it is not under /api', async () => {
  for (const url of [GROUP, `${GROUP}/namespaces/any/colmeia_backlog_seconds`, '/api/v1/scheduling/backlog/keda']) {
    assert.equal((await call({ url, headers: {} }, { backlog })).statusCode, 401, url);
    assert.equal((await call({ url }, { backlog })).statusCode, 200, url);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isColmeiaError } from '../../platform/errors.ts';
import {
  type ClassBacklog,
  classLabelOf,
  externalMetricResources,
  externalMetricValues,
  kedaAnswer,
  quantityOf,
} from './autoscaling-answers.ts';

const NOW = Date.parse('2026-11-21T15:00:00.250Z');
const BUILD: ClassBacklog = { class: 'BUILD', tickets: 30, backlog_seconds: 900.5, capacity: 6, agents: 4 };
const GPU: ClassBacklog = { class: 'EXECUTE/render gpu,cuda', tickets: 2, backlog_seconds: 80, capacity: 0, agents: 0 };
const GPU_LABEL = classLabelOf(GPU.class);

const valuesOf = (metric: string, selector?: string): Record<string, string> =>
  Object.fromEntries(
    externalMetricValues([BUILD, GPU], metric, selector, NOW)!.items.map(({ metricLabels, value }) => [
      metricLabels.class,
      value,
    ]),
  );

test('an external metric is answered in the shape of Kubernetes', () => {
  assert.deepEqual(externalMetricValues([BUILD], 'colmeia_backlog_seconds', 'class=BUILD', NOW), {
    kind: 'ExternalMetricValueList',
    apiVersion: 'external.metrics.k8s.io/v1beta1',
    metadata: {},
    items: [
      {
        metricName: 'colmeia_backlog_seconds',
        metricLabels: { class: 'BUILD' },
        timestamp: '2026-11-21T15:00:00Z',
        window: 0,
        value: '900500m',
      },
    ],
  });
});

test('discovery lists the metrics that are answered, and no other is', () => {
  const { kind, apiVersion, groupVersion, resources } = externalMetricResources();
  assert.deepEqual([kind, apiVersion, groupVersion], ['APIResourceList', 'v1', 'external.metrics.k8s.io/v1beta1']);
  assert.deepEqual(
    resources.map(({ name }) => valuesOf(name, 'class=BUILD').BUILD),
    ['900500m', '30', '150084m'],
  );
  for (const { namespaced, verbs } of resources) assert.deepEqual([namespaced, verbs], [true, ['get']]);
  for (const name of ['colmeia_backlog', 'toString', '__proto__', ''])
    assert.equal(externalMetricValues([BUILD], name, '', NOW), null, name);
});

test('selectors choose classes as Kubernetes does', () => {
  const chosen = (selector: string): string[] => Object.keys(valuesOf('colmeia_backlog_tickets', selector));
  const both = ['BUILD', GPU_LABEL];
  assert.deepEqual(chosen(''), both);
  assert.deepEqual(chosen('class'), both);
  assert.deepEqual(chosen('class==BUILD'), ['BUILD']);
  assert.deepEqual(chosen('class!=BUILD'), [GPU_LABEL]);
  assert.deepEqual(chosen(`class in (BUILD, ${GPU_LABEL})`), both);
  assert.deepEqual(chosen('class notin (BUILD,TEST)'), [GPU_LABEL]);
  assert.deepEqual(chosen('class=BUILD,zone!=eu,!zone'), ['BUILD']);
  assert.deepEqual(chosen('class=BUILD,zone=eu'), []);
  assert.deepEqual(chosen('!class'), []);
  for (const wrong of ['class=a b', 'class in BUILD', '=x', 'class=BUILD,', '(', 'class in (a'])
    assert.throws(
      () => valuesOf('colmeia_backlog_tickets', wrong),
      (error) => isColmeiaError(error, 'INVALID_REQUEST') && error.faults[0]!.path === 'labelSelector',
      wrong,
    );
});

test('a class that nothing waits for is zero, so that an autoscaler can scale down', () => {
  assert.deepEqual(valuesOf('colmeia_backlog_seconds', 'class=TEST'), { TEST: '0' });
  assert.deepEqual(valuesOf('colmeia_backlog_seconds', 'class in (TEST,BUILD)'), { BUILD: '900500m', TEST: '0' });
  assert.deepEqual(kedaAnswer([BUILD], 'TEST'), {
    class: 'TEST',
    tickets: 0,
    backlog_seconds: 0,
    capacity: 0,
    agents: 0,
    drain_seconds: 0,
  });
});

test('KEDA finds numbers at the top, of one class by name or label, or of all', () => {
  const build = { class: 'BUILD', tickets: 30, backlog_seconds: 900.5, capacity: 6, agents: 4 };
  assert.deepEqual(kedaAnswer([BUILD, GPU], 'BUILD'), { ...build, drain_seconds: 900.5 / 6 });
  const all = { class: null, tickets: 32, backlog_seconds: 980.5, capacity: 6, agents: 4, drain_seconds: 980.5 / 6 };
  assert.deepEqual(kedaAnswer([BUILD, GPU], null), all);
  for (const name of [GPU.class, GPU_LABEL]) assert.equal(kedaAnswer([BUILD, GPU], name).tickets, 2);
});

test('work that nobody can take still asks for agents', () => {
  assert.equal(kedaAnswer([GPU], GPU.class).drain_seconds, 80);
});

test('any class has a label that Kubernetes takes and KEDA’s path needs no escape for, and none shares it', () => {
  const name = fc.oneof(
    fc.string({ maxLength: 90 }),
    fc.string({ unit: fc.constantFrom(...'AZ/, ._-é'), maxLength: 80 }),
  );
  fc.assert(
    fc.property(name, name, (a, b) => {
      assert.match(classLabelOf(a), /^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/);
      assert.equal(classLabelOf(a) === classLabelOf(b), a === b);
      assert.equal(classLabelOf(classLabelOf(a)), classLabelOf(a));
    }),
  );
  assert.equal(classLabelOf('BUILD'), 'BUILD');
});

test('quantities are whole or in thousandths, rounded up, and never anything else', () => {
  for (const [value, quantity] of [
    [0, '0'],
    [12, '12'],
    [1.5, '1500m'],
    [0.0001, '1m'],
    [0.1 + 0.2, '300m'],
    [-3, '0'],
    [Number.NaN, '0'],
  ] as const)
    assert.equal(quantityOf(value), quantity);
  fc.assert(
    fc.property(fc.double(), (value) => {
      const quantity = quantityOf(value);
      assert.match(quantity, /^(0|[1-9]\d{0,15}m?)$/);
      const back = quantity.endsWith('m') ? Number(quantity.slice(0, -1)) / 1_000 : Number(quantity);
      if (value > 0 && value < 1e12) assert.ok(back >= value - 1e-3 && back < value + 2e-3, `${value} ${quantity}`);
    }),
  );
});

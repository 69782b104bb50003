import type { Colmeia } from '../../../colmeia.ts';
import { ColmeiaError } from '../../../platform/errors.ts';
import { mustHave } from '../../../trust/identity/may.ts';
import { openObject, shape, text, textMap } from '../answer-schemas.ts';
import { externalMetricResources, externalMetricValues, kedaAnswer } from '../autoscaling-answers.ts';
import { operation, type Operation } from '../operation.ts';

const number = { type: 'number' } as const;
const GROUP = '/apis/external.metrics.k8s.io/v1beta1';

/** The backlog in the shapes that autoscalers read. */
export function autoscalingRoutes({ scheduling }: Colmeia): Operation[] {
  return [kedaOperation(scheduling), ...externalMetricOperations(scheduling)];
}

function kedaOperation(scheduling: Colmeia['scheduling']): Operation {
  return operation({
    id: 'getBacklogForKeda',
    tag: 'scheduling',
    method: 'GET',
    path: '/api/v1/scheduling/backlog/keda',
    summary: 'The backlog as numbers at the top, for the metrics-api scaler of KEDA',
    query: { class: { type: 'string', description: 'A class, or its label. Left out: all of them together.' } },
    answer: {
      status: 200,
      description: 'A class that nothing waits for is zero.',
      schema: shape({
        class: { type: ['string', 'null'] },
        tickets: number,
        backlog_seconds: number,
        capacity: number,
        agents: number,
        drain_seconds: { ...number, description: 'Without agents: as with one.' },
      }),
      example: { class: 'BUILD', tickets: 3, backlog_seconds: 90, capacity: 2, agents: 1, drain_seconds: 45 },
    },
    run: async ({ who, query }) => kedaAnswer((await scheduling.backlog(who)).classes, query.class ?? null),
  });
}

function externalMetricOperations(scheduling: Colmeia['scheduling']): Operation[] {
  return [
    operation({
      id: 'listExternalMetrics',
      tag: 'scheduling',
      method: 'GET',
      path: GROUP,
      summary: 'The metrics that a HorizontalPodAutoscaler may ask for',
      answer: {
        status: 200,
        description: 'An APIResourceList of Kubernetes.',
        schema: shape({ kind: text, apiVersion: text, groupVersion: text, resources: { type: 'array' } }),
        example: externalMetricResources(),
      },
      run: ({ who }) => {
        mustHave(who, 'read');
        return externalMetricResources();
      },
    }),
    operation({
      id: 'getExternalMetric',
      tag: 'scheduling',
      method: 'GET',
      path: `${GROUP}/namespaces/{namespace}/{metric}`,
      summary: 'The value of a metric for each class',
      params: { namespace: 'Any; the backlog is of no namespace.', metric: 'As `colmeia_backlog_seconds`.' },
      query: { labelSelector: { type: 'string', description: 'As `class=BUILD`. Left out: every class.' } },
      answer: {
        status: 200,
        description: 'An ExternalMetricValueList of Kubernetes.',
        schema: shape({
          kind: text,
          apiVersion: text,
          metadata: openObject,
          items: {
            type: 'array',
            items: shape({
              metricName: text,
              metricLabels: textMap,
              timestamp: { type: 'string', format: 'date-time' },
              window: { type: 'integer' },
              value: { ...text, description: 'A quantity, as `12` or `1500m`.' },
            }),
          },
        }),
        example: externalMetricValues([], 'colmeia_backlog_seconds', 'class=BUILD', 0),
      },
      errors: ['ROUTE_NOT_FOUND'],
      run: async ({ who, params, query }) => {
        const { at, classes } = await scheduling.backlog(who);
        const values = externalMetricValues(classes, params.metric, query.labelSelector, at);
        if (values === null) throw new ColmeiaError('ROUTE_NOT_FOUND', `there is no metric of this name`);
        return values;
      },
    }),
  ];
}

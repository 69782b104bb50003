import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { externalMetricResources, externalMetricValues, kedaAnswer } from './autoscaling-answers.ts';

/** The YAML parser that the OpenAPI document is written with: no dependency of our own. */
const { parseAllDocuments } = createRequire(import.meta.resolve('@fastify/swagger'))('yaml') as {
  parseAllDocuments(text: string): { errors: Error[]; toJS(): Manifest }[];
};
// oxlint-disable-next-line typescript/no-explicit-any -- manifests of many kinds
type Manifest = { apiVersion: string; kind: string; metadata: { name: string }; spec: any; rules: any };

function read(name: string): Manifest[] {
  const text = readFileSync(new URL(`../../../deploy/kubernetes/${name}`, import.meta.url), 'utf8');
  return parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS();
  });
}

const BACKLOG = [{ class: 'BUILD', tickets: 1, backlog_seconds: 90, capacity: 1, agents: 1 }];
const documents = ['keda.yaml', 'external-metrics.yaml'].flatMap(read);
const find = (kind: string): Manifest => documents.find((document) => document.kind === kind)!;

test('the manifests for Kubernetes are YAML, and every document says what it is', () => {
  assert.equal(documents.length, 9);
  for (const { apiVersion, kind, metadata } of documents)
    for (const text of [apiVersion, kind, metadata.name]) assert.match(text, /^[A-Za-z0-9./-]+$/);
});

test('what the ScaledObject reads is a number of the answer for KEDA', () => {
  const [trigger] = find('ScaledObject').spec.triggers;
  const { url, valueLocation, targetValue } = trigger.metadata;
  const answer = kedaAnswer(BACKLOG, new URL(url).searchParams.get('class')) as Record<string, unknown>;
  assert.equal(answer[valueLocation], 90);
  assert.equal(Number(targetValue), 60);
  assert.equal(trigger.authenticationRef.name, find('TriggerAuthentication').metadata.name);
});

test('the HorizontalPodAutoscaler and its role name metrics that there are', () => {
  const [{ external }] = find('HorizontalPodAutoscaler').spec.metrics;
  const selector = Object.entries(external.metric.selector.matchLabels).map((pair) => pair.join('='));
  const values = externalMetricValues(BACKLOG, external.metric.name, selector.join(), 0);
  assert.deepEqual(
    values?.items.map(({ value }) => value),
    ['90'],
  );
  assert.deepEqual(
    find('ClusterRole').rules[0].resources,
    externalMetricResources().resources.map(({ name }) => name),
  );
  const { group, version } = find('APIService').spec;
  assert.equal(`${group}/${version}`, externalMetricResources().groupVersion);
});

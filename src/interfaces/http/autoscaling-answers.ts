import { createHash } from 'node:crypto';
import { ColmeiaError } from '../../platform/errors.ts';

/** What waits of one class of tickets, and who could take it. */
export type ClassBacklog = {
  class: string;
  /** Tickets that wait for an agent. */
  tickets: number;
  /** Seconds of work that they are expected to be, for one agent of usual speed. */
  backlog_seconds: number;
  /** Slots of the agents that take the class now, counted by their speed. */
  capacity: number;
  agents: number;
};

/** One class, or all of them together, as KEDA's metrics-api scaler reads it: each field is a number at the top. */
export type KedaAnswer = Omit<ClassBacklog, 'class'> & {
  /** As asked for; null = all classes. */
  class: string | null;
  drain_seconds: number;
};

/** metav1.APIResourceList, as discovery of an API group answers it. */
export type ApiResourceList = {
  kind: 'APIResourceList';
  apiVersion: 'v1';
  groupVersion: string;
  resources: { name: string; singularName: string; namespaced: boolean; kind: string; verbs: string[] }[];
};

/** Source: Kubernetes, external.metrics.k8s.io/v1beta1. */
export type ExternalMetricValueList = {
  kind: 'ExternalMetricValueList';
  apiVersion: typeof GROUP_VERSION;
  metadata: Record<string, never>;
  items: {
    metricName: string;
    metricLabels: Record<string, string>;
    /** RFC 3339. */
    timestamp: string;
    /** Seconds the value was reckoned from; 0 = it is of this moment. */
    window: number;
    /** A quantity, as `12` or `1500m`. */
    value: string;
  }[];
};

const GROUP_VERSION = 'external.metrics.k8s.io/v1beta1';

/** What an autoscaler may ask for, by the name of the metric. */
const METRICS: Readonly<Record<string, (of: KedaAnswer) => number>> = {
  colmeia_backlog_seconds: (of) => of.backlog_seconds,
  colmeia_backlog_tickets: (of) => of.tickets,
  colmeia_backlog_drain_seconds: (of) => of.drain_seconds,
};

/** Labels of Kubernetes have at most 63 characters. */
const LABEL_LENGTH = 63;
/** Above it a double is no exact whole number any more. */
const LARGEST = 9e15;

/**
 * A class as a label of Kubernetes, and as a key that needs no escapes in a path of KEDA. A class whose name does not fit
 * gets a digest, so that two classes never share a label.
 */
export function classLabelOf(name: string): string {
  if (/^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/.test(name)) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 10);
  const readable = name
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, LABEL_LENGTH - digest.length - 1);
  return `${readable}${readable === '' || readable.endsWith('-') ? '' : '-'}${digest}`;
}

/**
 * The backlog of one class, by its name or its label, or of all when `asked` is null. A class that nothing waits for is
 * zero and no error: an autoscaler must be able to scale down.
 */
export function kedaAnswer(classes: readonly ClassBacklog[], asked: string | null): KedaAnswer {
  const chosen = classes.filter((one) => asked === null || one.class === asked || classLabelOf(one.class) === asked);
  const sum = (of: (one: ClassBacklog) => number): number =>
    chosen.reduce((total, one) => total + numberOf(of(one)), 0);
  const backlog_seconds = sum((one) => one.backlog_seconds);
  const capacity = sum((one) => one.capacity);
  return {
    class: asked,
    tickets: sum((one) => one.tickets),
    backlog_seconds,
    capacity,
    agents: sum((one) => one.agents),
    // Without agents it never drains; one slot is the least that could be added.
    drain_seconds: backlog_seconds / (capacity > 0 ? capacity : 1),
  };
}

/** Discovery: GET /apis/external.metrics.k8s.io/v1beta1. */
export function externalMetricResources(): ApiResourceList {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: GROUP_VERSION,
    resources: Object.keys(METRICS).map((name) => ({
      name,
      singularName: '',
      namespaced: true,
      kind: 'ExternalMetricValueList',
      verbs: ['get'],
    })),
  };
}

/**
 * GET /apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{metric}?labelSelector=…: a value for each class that the
 * selector chooses, by the label `class`. null = there is no such metric. A class that is asked for by name and that
 * nothing waits for is zero: no value at all would keep the autoscaler from scaling down. `now` in epoch ms.
 * Throws INVALID_REQUEST for a selector that cannot be read.
 */
export function externalMetricValues(
  classes: readonly ClassBacklog[],
  metric: string,
  labelSelector: string | undefined,
  now: number,
): ExternalMetricValueList | null {
  const valueOf = Object.hasOwn(METRICS, metric) ? METRICS[metric] : undefined;
  if (valueOf === undefined) return null;
  const wanted = parseSelector(labelSelector ?? '');
  const labels = classes.map((one) => classLabelOf(one.class));
  const named = wanted.flatMap(({ key, not, values }) => (key === 'class' && !not && values !== null ? values : []));
  const chosen = [...new Set([...labels, ...named])].filter((label) => matches(wanted, { class: label }));
  const timestamp = `${new Date(now).toISOString().slice(0, 19)}Z`;
  return {
    kind: 'ExternalMetricValueList',
    apiVersion: GROUP_VERSION,
    metadata: {},
    items: chosen.map((label) => ({
      metricName: metric,
      metricLabels: { class: label },
      timestamp,
      window: 0,
      value: quantityOf(valueOf(kedaAnswer(classes, label))),
    })),
  };
}

/** A number as a quantity of Kubernetes: whole, or in thousandths, rounded up. */
export function quantityOf(value: number): string {
  const thousandths = Math.ceil(numberOf(value) * 1_000 - 1e-6);
  return thousandths % 1_000 === 0 ? String(thousandths / 1_000) : `${thousandths}m`;
}

const numberOf = (value: number): number => (value > 0 ? Math.min(value, LARGEST / 1_000) : 0);

/** `values` null: the label is there at all. */
type Requirement = { key: string; not: boolean; values: string[] | null };

/** Source: Kubernetes, labels and selectors: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, by commas. */
function parseSelector(text: string): Requirement[] {
  // A comma within parentheses separates values.
  const parts = text.split(/,(?![^(]*\))/).map((part) => part.trim());
  if (text.trim() === '') return [];
  return parts.map((part) => {
    const equal = /^([\w./-]+)\s*(!=|==?)\s*([\w.-]*)$/.exec(part);
    if (equal !== null) return { key: equal[1], not: equal[2] === '!=', values: [equal[3]] };
    const within = /^([\w./-]+)\s+(in|notin)\s*\(([\w.,\s-]*)\)$/.exec(part);
    if (within !== null)
      return { key: within[1], not: within[2] === 'notin', values: within[3].split(',').map((value) => value.trim()) };
    const there = /^(!?)\s*([\w./-]+)$/.exec(part);
    if (there !== null) return { key: there[2], not: there[1] === '!', values: null };
    const message = `cannot be read at "${part.slice(0, 80)}"`;
    throw new ColmeiaError('INVALID_REQUEST', `labelSelector ${message}`, {
      faults: [{ path: 'labelSelector', message }],
    });
  });
}

/** As Kubernetes has it: what is not there is not equal to anything. */
function matches(wanted: readonly Requirement[], labels: Readonly<Record<string, string>>): boolean {
  return wanted.every(({ key, not, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    const holds = value !== undefined && (values === null || values.includes(value));
    return holds !== not;
  });
}

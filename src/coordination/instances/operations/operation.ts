import type { OperationKind, OperationState, OperationView, StepView } from '../instance-views.ts';
import type { OperationDefinition } from './step.ts';

/** An operation as it is kept, so that any process can go on with it. Times are ISO 8601. */
export type Operation = {
  id: string;
  instance: string;
  kind: OperationKind;
  input: unknown;
  memory: Record<string, unknown>;
  steps: StepView[];
  state: OperationState;
  error: OperationView['error'];
  by: string;
  /** Counts changes. */
  rev: number;
  startedAt: string;
  endedAt: string | null;
};

// Definitions of many kinds stand in one place; each knows its own input and memory.
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyDefinition = OperationDefinition<any, any>;

export const isUnderWay = ({ state }: Pick<Operation, 'state'>): boolean => state === 'running' || state === 'undoing';

export const pendingStep = (name: string): StepView => ({
  name,
  state: 'pending',
  detail: '',
  share: null,
  started_at: null,
  ended_at: null,
});

/** `definition`: null = its result cannot be told. */
export function operationView(operation: Operation, definition: AnyDefinition | null): OperationView {
  const { id, instance, kind, state, steps, error, by, rev, startedAt, endedAt } = operation;
  const result = state === 'completed' && definition !== null ? definition.result(operation.memory) : null;
  return { id, instance, kind, state, steps, result, error, by, rev, started_at: startedAt, ended_at: endedAt };
}

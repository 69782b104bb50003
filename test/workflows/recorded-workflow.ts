import fs from 'node:fs';
import path from 'node:path';
import { samplePlan } from '../flow/sample-decision.ts';

/** Real runs, recorded; beside the repository, as they are measured with and not part of it. */
const FOLDER = path.resolve(import.meta.dirname, '../../../shared/data/workflows');

/** Durations in seconds, parents as task numbers. */
export type RecordedWorkflow = {
  name: string;
  n: number;
  edges: number;
  criticalPath: number;
  types: string[];
  tasks: [type: number, duration: number, parents: number[]][];
};

/** null = they are not on this machine. */
export function recordedWorkflows(): RecordedWorkflow[] | null {
  if (!fs.existsSync(FOLDER)) return null;
  const files = fs.readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
  return files.map((file) => JSON.parse(fs.readFileSync(path.join(FOLDER, file), 'utf8')) as RecordedWorkflow);
}

/** A plan with a task for each of the workflow's; `sleep_ms` is what the task took, `faster` times faster. */
export function planOf(workflow: RecordedWorkflow, faster: number) {
  return samplePlan(
    workflow.name,
    workflow.tasks.map(([type, seconds, parents], n) => ({
      id: `t${n}`,
      after: parents.map((parent) => `t${parent}`),
      estimateMs: Math.max(1, Math.round((seconds * 1_000) / faster)),
      parameters: { program: workflow.types[type]!, sleep_ms: String((seconds * 1_000) / faster) },
    })),
    { risk_band: 'critical' },
  );
}

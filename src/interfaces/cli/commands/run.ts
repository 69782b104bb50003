import type { Command } from 'commander';
import type { Submission } from '../../../colmeia.ts';
import { CliError, EXIT, type ExitCode } from '../cli-error.ts';
import type { Client } from '../client.ts';
import type { CommandSetup } from '../program.ts';
import { readJsonFile } from '../read-json-file.ts';
import type { Selection, Session } from '../session.ts';
import { watchPlan } from '../watch-plan.ts';

type Options = { watch?: boolean };
type Json = Record<string, unknown>;

export function runCommand(program: Command, { action }: CommandSetup): void {
  program
    .command('run')
    .description('submit a decision, several in an array, or a bare plan, which counts as approved')
    .argument('<file>', 'JSON file; - = standard input')
    .option('--watch', 'show the tickets until the plan ends; exit code 0 only when it completed')
    .action(
      action<[string, Options]>(async (session, file, options) => {
        const { name, value } = await readJsonFile(session.world, file);
        const client = await session.client();
        if (Array.isArray(value)) return runBatch(session, client, name, value, options);
        if (!isObject(value))
          throw new CliError(EXIT.usage, `${name} holds ${describe(value)}, not a decision (an object)`);
        const selection = await session.selection();
        const submitted = await submit(session, client, withInstance(value, selection, name)).catch(
          (error: unknown) => {
            throw namingFile(error, name);
          },
        );
        if (options.watch && submitted.status !== 'rejected')
          return watchPlan(session, {
            planId: submitted.plan_id,
            instance: submitted.instance,
            fromStart: submitted.duplicate !== true,
          });
        if (options.watch) return EXIT.failed;
        return EXIT.ok;
      }),
    );
}

async function submit(
  session: Session,
  client: Client,
  value: Json,
): Promise<{ plan_id: string; status: string; instance?: string; duplicate?: boolean }> {
  if (isBarePlan(value)) {
    const correlation_id = typeof value.correlation_id === 'string' ? value.correlation_id : String(value.plan_id);
    const started = await client.post<{ workflow_id: string; warnings?: string[] }>('/api/v1/workflows/start', {
      cognitive_plan: value,
      correlation_id,
    });
    const plan_id = String(value.plan_id);
    for (const warning of started.warnings ?? []) session.note(`warning: ${warning}`);
    session.printLine({ ...started, plan_id }, () => `plan ${plan_id} started`);
    return { plan_id, status: 'started', instance: instanceOf(value) };
  }
  const submission = await client.post<Submission>('/api/v1/decisions', value);
  announce(session, submission);
  return submission;
}

async function runBatch(
  session: Session,
  client: Client,
  name: string,
  decisions: readonly unknown[],
  options: Options,
): Promise<ExitCode> {
  if (options.watch)
    throw new CliError(
      EXIT.usage,
      `--watch shows one plan, and ${name} holds ${decisions.length}: \`colmeia events\` shows them all`,
    );
  const wrong = decisions.findIndex((decision) => !isObject(decision));
  if (wrong !== -1)
    throw new CliError(EXIT.usage, `${name}: [${wrong}] is ${describe(decisions[wrong])}, not a decision (an object)`);
  const selection = await session.selection();
  const sent = decisions.map((decision, i) => withInstance(decision as Json, selection, `${name}: [${i}]`));
  const { results } = await client
    .post<{ results: Submission[] }>('/api/v1/decisions', sent)
    .catch((error: unknown) => {
      throw namingFile(error, name);
    });
  for (const submission of results) announce(session, submission);
  return results.some((submission) => submission.error !== undefined) ? EXIT.refused : EXIT.ok;
}

function announce(session: Session, submission: Submission): void {
  for (const warning of submission.warnings ?? []) session.note(`warning: ${warning}`);
  session.printLine(submission, () => {
    const { plan_id, instance, status, duplicate, error } = submission;
    if (error === undefined)
      return `plan ${plan_id} of ${instance}: ${status}${duplicate ? ' (it was here before)' : ''}`;
    return [
      `plan ${plan_id}: ${error.detail} (${error.code})`,
      ...error.faults.map((fault) => `  ${fault.path}: ${fault.message}`),
    ].join('\n');
  });
}

/** The company goes where the contract keeps it: `metadata.instance`. What a file says counts more than what is selected. */
function withInstance(decision: Json, selection: Selection | null, name: string): Json {
  const own = instanceOf(decision);
  if (selection === null || (own !== undefined && selection.by !== '--instance')) return decision;
  const instance = selection.name;
  if (own !== undefined && own !== instance)
    throw new CliError(EXIT.usage, `${name}: metadata.instance says "${own}", and --instance "${instance}"`);
  return { ...decision, metadata: { ...(isObject(decision.metadata) ? decision.metadata : {}), instance } };
}

function instanceOf(decision: Json): string | undefined {
  const instance = isObject(decision.metadata) ? decision.metadata.instance : undefined;
  return typeof instance === 'string' ? instance : undefined;
}

function isBarePlan(value: Json): boolean {
  return Array.isArray(value.tasks) && !('cognitive_plan' in value) && !('final_decision' in value);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** Faults of the body are faults of the file. */
function namingFile(error: unknown, name: string): unknown {
  if (!(error instanceof CliError) || error.faults.length === 0) return error;
  return new CliError(error.exit, `${name}: ${error.message}`, {
    code: error.code,
    faults: error.faults,
    cause: error,
  });
}

import type { Command } from 'commander';
import type { OperationView } from '../../../coordination/instances/instance-views.ts';
import { CliError, EXIT } from '../cli-error.ts';
import { OPERATION_COLUMNS, STEP_COLUMNS } from '../columns.ts';
import { followOperation, isUnderWay } from '../follow-operation.ts';
import { resultText } from '../instance-texts.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import { pathOfOperation } from '../paths.ts';
import type { CommandSetup } from '../program.ts';
import type { Session } from '../session.ts';
import { printable } from '../table.ts';

type Verbs = { follow?: boolean; resume?: boolean; undo?: boolean };

/** What is done to companies in steps. */
export function operationCommands(group: Command, { action, paged }: CommandSetup): void {
  paged(group.command('operations').description('list what was done to companies in steps, the newest first'))
    .argument('[name]', 'only of this company')
    .action(
      action<[string | undefined, PageOptions]>(async (session, name, pages) => {
        const query = { instance: name ?? (await session.company()) };
        return printPages(session, '/api/v1/operations', query, pages, OPERATION_COLUMNS);
      }),
    );
  group
    .command('operation')
    .description('show an operation with its steps, follow it, go on with it, or take it back')
    .argument('<operation-id>')
    .option('--follow', 'stay until it ends')
    .option('--resume', 'go on with one that failed')
    .option('--undo', 'take back what it made')
    .action(
      action<[string, Verbs]>(async (session, id, { follow, resume, undo }) => {
        if (resume && undo) throw new CliError(EXIT.usage, '--resume and --undo are two ways; choose one');
        const client = await session.client();
        const path = pathOfOperation(id);
        const verb = resume ? 'resume' : undo ? 'undo' : null;
        if (verb !== null)
          return followOperation(session, client, await client.post<OperationView>(`${path}/${verb}`, undefined));
        const operation = await client.get<OperationView>(path);
        if (follow && isUnderWay(operation)) return followOperation(session, client, operation);
        session.print(operation, () => operationText(session, operation));
        return undefined;
      }),
    );
}

function operationText(session: Session, operation: OperationView): string {
  const { kind, instance, state, error, by, steps } = operation;
  const why = error === null ? '' : `${printable(error.message)} (${error.code})\n`;
  const result = state === 'completed' ? resultText(operation) : '';
  return `${kind} of ${instance}, by ${printable(by)}: ${state}\n${why}${session.table(steps, STEP_COLUMNS)}${result}`;
}

import type { Command } from 'commander';
import type { AgentView } from '../../../colmeia.ts';
import { AGENT_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';

export function agentCommands(program: Command, { action, paged }: CommandSetup): void {
  paged(program.command('agents').description('list agents'))
    .option('--instance <company>', 'only of this company')
    .action(
      action<[PageOptions & { instance?: string }]>((session, options) =>
        printPages(session, '/api/v1/agents', { instance: options.instance }, options, AGENT_COLUMNS),
      ),
    );

  const agent = program.command('agent').description('work with one agent, or run agents');

  agent
    .command('show')
    .description('show an agent')
    .argument('<agent-id>')
    .action(
      action<[string]>(async (session, agentId) => {
        const view = await (await session.client()).get<AgentView>(`/api/v1/agents/${encodeURIComponent(agentId)}`);
        session.print(view, () => session.table([view], AGENT_COLUMNS));
      }),
    );

  agent
    .command('drain')
    .description('give an agent no more tickets; what it runs may end')
    .argument('<agent-id>')
    .action(
      action<[string]>(async (session, agentId) => {
        const answer = await (
          await session.client()
        ).post<{ agent_id: string; state: string }>(`/api/v1/agents/${encodeURIComponent(agentId)}/drain`, {});
        session.print(answer, () => `agent ${agentId}: ${answer.state}\n`);
      }),
    );

  agent
    .command('remove')
    .description('forget an agent; what it runs is given to others')
    .argument('<agent-id>')
    .action(
      action<[string]>(async (session, agentId) => {
        await (await session.client()).delete(`/api/v1/agents/${encodeURIComponent(agentId)}`);
        session.print({ agent_id: agentId, state: 'removed' }, () => `agent ${agentId}: removed\n`);
      }),
    );

  agent
    .command('run')
    .description('run the agents of a file here, against the server, until interrupted')
    .argument('<file>', 'JSON file as COLMEIA_AGENTS names it')
    .action(
      action<[string]>(async (session, file) => {
        const { runAgentsFile } = await import('../run-agents-file.ts');
        return runAgentsFile(session, file);
      }),
    );
}

import type { Command } from 'commander';
import type { AgentDetail } from '../../../colmeia.ts';
import { AGENT_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';
import { formatDuration, formatTime, printable } from '../table.ts';

/** `agents` lists, and takes what is done to one; `agent` is the same. */
export function agentCommands(program: Command, setup: CommandSetup): void {
  const { action, paged } = setup;
  const agents = program.command('agents').alias('agent').description('list agents, work with one, or run some');
  paged(agents.command('list', { isDefault: true }).description('list agents')).action(
    action<[PageOptions]>((session, options) => {
      // Not the selected company: the agents that work for it are most often everybody's.
      const query = { instance: session.options.instance };
      return printPages(session, '/api/v1/agents', query, options, AGENT_COLUMNS);
    }),
  );
  oneAgentCommands(agents, setup);
  agents
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

const VERBS = {
  drain: 'give an agent no more tickets; what it runs may end',
  cordon: 'give an agent nothing new until it is uncordoned',
  uncordon: 'give an agent work again after a cordon or a drain',
};

function oneAgentCommands(group: Command, { action }: CommandSetup): void {
  group
    .command('show')
    .description('show an agent: life, telemetry, history, versions, tokens')
    .argument('<agent-id>')
    .action(
      action<[string]>(async (session, agentId) => {
        const view = await (await session.client()).get<AgentDetail>(`/api/v1/agents/${encodeURIComponent(agentId)}`);
        session.print(view, () => agentText(view));
      }),
    );
  for (const [verb, description] of Object.entries(VERBS)) {
    group
      .command(verb)
      .description(description)
      .argument('<agent-id>')
      .action(
        action<[string]>(async (session, agentId) => {
          const client = await session.client();
          const path = `/api/v1/agents/${encodeURIComponent(agentId)}/${verb}`;
          const answer = await client.post<{ agent_id: string; state: string }>(path, {});
          session.print(answer, () => `agent ${agentId}: ${answer.state}\n`);
        }),
      );
  }
  group
    .command('remove')
    .description('forget an agent; what it runs is given to others')
    .argument('<agent-id>')
    .action(
      action<[string]>(async (session, agentId) => {
        await (await session.client()).delete(`/api/v1/agents/${encodeURIComponent(agentId)}`);
        session.print({ agent_id: agentId, state: 'removed' }, () => `agent ${agentId}: removed\n`);
      }),
    );
}

function agentText(agent: AgentDetail): string {
  const { telemetry, history, usage } = agent;
  const rows: [string, string | number | null][] = [
    ['agent', agent.agent_id],
    ['kind', agent.kind],
    ['company', agent.instance ?? 'all'],
    ['state', agent.life === 'alive' || agent.state === agent.life ? agent.state : `${agent.state} (${agent.life})`],
    ['waits', agent.held_until === null ? null : `until ${formatTime(agent.held_until)}, as it kept going away`],
    ['busy', `${agent.running}/${agent.concurrency}`],
    ['takes', agent.task_types.join(' ')],
    ['can', agent.capabilities.join(' ')],
    ['labels', pairs(agent.labels)],
    ['region', agent.region],
    ['seen', formatTime(agent.last_seen_at)],
    ['registered', formatTime(agent.registered_at)],
    ['telemetry', telemetry === null ? null : `${pairs(telemetry.values)} at ${formatTime(telemetry.at)}`],
    [
      'did',
      history && `${history.completed} completed, ${history.failed} failed since ${formatTime(history.since)} here`,
    ],
    [
      'tokens',
      usage.results === 0
        ? null
        : `${usage.input_tokens} in, ${usage.output_tokens} out, ${usage.cost_usd.toFixed(4)} USD`,
    ],
    ...agent.versions.map(({ version, at }): [string, string] => [
      'version',
      `${version ?? '(none)'} since ${formatTime(at)}`,
    ]),
    ...(history?.recent ?? []).map((one): [string, string] => [
      'recent',
      `${formatTime(one.at)} ${one.plan_id} ${one.task_id}: ${one.error_class ?? 'completed'}, ${formatDuration(one.duration_ms)}`,
    ]),
  ];
  return rows
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name.padEnd(10)} ${printable(value)}\n`)
    .join('');
}

const pairs = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

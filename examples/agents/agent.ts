// Installed from npm this is `import { AgentError, runAgent } from 'colmeia/agent'`.
import { AgentError, runAgent } from '../../src/agent.ts';

await runAgent({
  agentId: 'greeter',
  taskTypes: ['QUERY', 'EXECUTE'],
  capabilities: ['greet'],
  handler: async (ticket) => {
    if (!ticket.parameters.name) throw new AgentError('whom should I greet?', 'poison');
    return { greeting: `Hello, ${ticket.parameters.name}` };
  },
}).done;

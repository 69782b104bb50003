// An agent in a process of its own, with the address and the key of COLMEIA_HOME; tells its parent when work begins and ends.
import { setTimeout as sleep } from 'node:timers/promises';
import { runAgent } from '../../src/agent.ts';

const agent = runAgent({
  agentId: 'survivor',
  taskTypes: ['EXECUTE'],
  concurrency: 4,
  log: (_level, message) => void process.send!({ log: message }),
  handler: async (ticket, { attempt, fencingToken }) => {
    process.send!({ began: ticket.task_id, attempt, fencingToken });
    await sleep(Number(ticket.parameters.sleep_ms));
    return { attempt: String(attempt), pid: String(process.pid) };
  },
});
process.on('disconnect', () => process.exit(1));
process.on('message', () => void agent.stop().then(() => process.exit(0)));
await agent.done;

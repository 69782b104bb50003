// node http-agent.ts <id> <concurrency>: an agent of the SDK that answers 200 bytes at once. A process of the bench http-flow.
import { runAgent } from '../src/agent.ts';

const [agentId, concurrency] = process.argv.slice(2);
const RESULT = { data: 'x'.repeat(190) };
process.on('disconnect', () => process.exit(0)); // the bench died

const agent = runAgent({
  agentId: agentId!,
  taskTypes: ['QUERY'],
  concurrency: Number(concurrency),
  graceMs: 500,
  handler: () => RESULT,
  log: () => {},
});
await agent.done;
process.disconnect();

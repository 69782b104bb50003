import process from 'node:process';
import { parseArgs } from 'node:util';
import { serve } from './interfaces/process/serve.ts';

const USAGE = `npm start -- [--no-example]
  --no-example  do not run the example when the store is empty
What can be configured is in docs/configuration.md.
`;

/** The control plane as a process; `colmeia serve` does the same with more options. */
async function main(): Promise<number> {
  let values: { example?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({
      options: { example: { type: 'boolean', default: true }, help: { type: 'boolean', short: 'h' } },
      allowNegative: true,
    }));
  } catch (error) {
    process.stderr.write(`colmeia: ${(error as Error).message.split('.')[0]}\n${USAGE}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { env, stdout, stderr } = process;
  return serve({ env, cwd: process.cwd(), stdout, stderr, example: values.example === true });
}

// Something may still hold the loop open (a vendor's timer); all that matters is closed by now.
process.exit(await main());

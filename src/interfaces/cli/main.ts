import process from 'node:process';
import { stopSignals } from '../process/stop-signals.ts';
import { runCli } from './program.ts';

const interrupted = new AbortController();
// Commands with a life of their own (serve, agent run) listen to signals themselves; the second one always ends.
void stopSignals(() => process.exit(130)).first.then(() => interrupted.abort());
// A reader that has seen enough (`| head`) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupted.signal,
});

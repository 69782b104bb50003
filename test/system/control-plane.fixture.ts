// A control plane in a process of its own, for tests that kill it: answers calls of its public face over IPC.
//   control-plane.fixture.ts <options of createColmeia as JSON> [--no-fsync]
import fs from 'node:fs';
import { createColmeia, type ColmeiaOptions } from '../../src/index.ts';
import { ColmeiaError } from '../../src/platform/errors.ts';
import type { ChildMessage, ParentMessage } from './control-plane.ts';

if (process.argv.includes('--no-fsync')) fs.fdatasyncSync = fs.fsyncSync = () => {};

const startedAt = performance.now();
const send = (message: ChildMessage): void => void process.send!(message);
const log: ColmeiaOptions['log'] = (level, data, message) => {
  if (level !== 'debug' && level !== 'info')
    send({ type: 'log', level, message, error: String((data.err as Error)?.stack ?? '') });
};
const colmeia = await createColmeia({ ...(JSON.parse(process.argv[2]!) as ColmeiaOptions), log });
const calls = new Map<number, AbortController>();

process.on('message', (message: ParentMessage) => {
  if (message.type === 'abort') return calls.get(message.id)?.abort();
  if (message.type === 'close') return void colmeia.close().then(() => process.exit(0));
  const { id, path, args, takesSignal } = message;
  const cut = new AbortController();
  calls.set(id, cut);
  answer(path, takesSignal ? [...args.slice(0, -1), { ...(args.at(-1) as object), signal: cut.signal }] : args)
    .then(
      (value) => send({ type: 'answer', id, value }),
      (error: unknown) => send({ type: 'refusal', id, error: told(error) }),
    )
    .finally(() => calls.delete(id));
});
process.on('disconnect', () => process.exit(1)); // the test is gone
send({ type: 'ready', openMs: performance.now() - startedAt });

async function answer(path: readonly string[], args: readonly unknown[]): Promise<unknown> {
  let face: unknown = colmeia;
  for (const name of path) face = (face as Record<string, unknown>)[name];
  return (face as (...args: unknown[]) => unknown)(...args);
}

function told(error: unknown) {
  const { code, message, faults, retryAfterMs } =
    error instanceof ColmeiaError ? error : new ColmeiaError('INTERNAL', String((error as Error).stack));
  return { code, message, faults, retryAfterMs };
}

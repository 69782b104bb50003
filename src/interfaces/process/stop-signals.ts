import process from 'node:process';

/** A terminal's Ctrl-C and a parent that forwards it are one wish. */
const ECHO_MS = 500;

export type StopSignals = {
  /** Resolves with the name of the first signal. */
  first: Promise<NodeJS.Signals>;
  off(): void;
};

/** Waits for SIGINT, SIGTERM or SIGHUP; `onSecond` is called when one comes again. */
export function stopSignals(onSecond: (signal: NodeJS.Signals) => void): StopSignals {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAt: number | null = null;
  const on = (signal: NodeJS.Signals): void => {
    if (firstAt === null) {
      firstAt = performance.now();
      resolve(signal);
    } else if (performance.now() - firstAt > ECHO_MS) onSecond(signal);
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, on);
  return {
    first: promise,
    off: () => {
      for (const name of names) process.off(name, on);
    },
  };
}

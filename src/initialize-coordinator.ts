import path from 'node:path';
import process from 'node:process';
import type { Colmeia } from './colmeia.ts';
import { optionsOf } from './colmeia-options.ts';
import { coordinatorOf, type Coordinator } from './coordination/coordinator.ts';
import { createColmeia } from './create-colmeia.ts';
import { readConfig } from './platform/config.ts';

/**
 * Opens a Colmeia as the environment and `.env` have it, and its coordinator. An embedded database is open in one process at a
 * time. Throws CONFIG_INVALID, and what createColmeia throws. Close it in the end.
 */
export async function initializeCoordinator(
  env: Readonly<Record<string, string | undefined>> = process.env,
  cwd: string = process.cwd(),
): Promise<Coordinator & { colmeia: Colmeia; close(): Promise<void> }> {
  const config = readConfig(env, cwd);
  const colmeia = await createColmeia(optionsOf(config, path.join(config.home, 'data')));
  return { ...coordinatorOf(colmeia), colmeia, close: () => colmeia.close() };
}

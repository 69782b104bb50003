import fs from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { parseEnv } from 'node:util';

/**
 * Keeps compiled code in COLMEIA_HOME/cache: a restart takes half the time. It has to come before the modules it speeds up,
 * so it imports nothing of ours and finds the home by itself. Without `createHome` nothing is made where there is no home.
 */
export function useCompileCache(options: { createHome: boolean }): void {
  try {
    const home = path.resolve(process.env.COLMEIA_HOME || homeOfDotEnv() || '.colmeia');
    if (options.createHome) fs.mkdirSync(home, { recursive: true, mode: 0o700 });
    if (fs.existsSync(home)) module.enableCompileCache(path.join(home, 'cache'));
  } catch {
    // Slower, and what is wrong with the home is reported by what needs it.
  }
}

function homeOfDotEnv(): string | undefined {
  return fs.existsSync('.env') ? parseEnv(fs.readFileSync('.env', 'utf8')).COLMEIA_HOME : undefined;
}

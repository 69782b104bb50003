import type { Command } from 'commander';
import type { CommandSetup } from '../program.ts';
import { wordsOf } from './completion.ts';

/** A prompt for commands. */
export function shellCommand(program: Command, { action }: CommandSetup): void {
  program
    .command('shell')
    .description('a prompt for commands that shows the company they are about')
    .action(
      action<[]>(async (session) => {
        const { Shell } = await import('../shell.ts');
        return new Shell(session, wordsOf(program)).run();
      }),
    );
}

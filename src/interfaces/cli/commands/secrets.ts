import type { Command } from 'commander';
import type { SecretView } from '../../../trust/secrets/secret-operations.ts';
import { SECRET_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';
import { readSecret } from '../read-secret.ts';

type Of = { instance?: string };

/** Secrets of a company, or of the fleet: set and named, never shown. */
export function secretCommands(program: Command, { action, paged }: CommandSetup): void {
  const secrets = program.command('secrets').description('list secrets by name, set, remove or rotate them');
  const of = (command: Command): Command =>
    command.option('--instance <company>', 'of this company (default: of the fleet)');
  of(paged(secrets.command('list', { isDefault: true }).description('list the names of secrets'))).action(
    action<[PageOptions & Of]>((session, options) => printPages(session, pathOf(options), {}, options, SECRET_COLUMNS)),
  );
  of(secrets.command('set'))
    .description('set a secret: its value comes from standard input, or is asked for and not shown')
    .argument('<secret>', 'its name, as the configuration refers to it: secret:<name>')
    .option('--from-file <file>', 'take the value from this file')
    .allowUnknownOption() // refused as an argument too many: what is not known may be a secret, and is not repeated
    .action(
      action<[string, Of & { fromFile?: string }]>(async (session, name, { fromFile, ...options }) => {
        const value = await readSecret(session.world, fromFile, name);
        const path = `${pathOf(options)}/${encodeURIComponent(name)}`;
        const secret = await (await session.client()).put<SecretView>(path, { value });
        session.print(secret, () => `secret ${secret.name} set (version ${secret.version})\n`);
      }),
    );
  of(secrets.command('remove'))
    .description('remove a secret')
    .argument('<secret>')
    .action(
      action<[string, Of]>(async (session, name, options) => {
        await (await session.client()).delete(`${pathOf(options)}/${encodeURIComponent(name)}`);
        session.print({ secret: name, removed: true }, () => `secret ${name} removed\n`);
      }),
    );
  of(secrets.command('rotate'))
    .description('seal the secrets anew, under a new data key')
    .option('--master', 'wrap all data keys with a new master key instead')
    .action(
      action<[Of & { master?: boolean }]>(async (session, { master, ...options }) => {
        const client = await session.client();
        if (master) {
          const done = await client.post<{ master: string; keys: number }>('/api/v1/secrets/rotate-master', undefined);
          session.print(done, () => `master key ${done.master}; data keys wrapped with it: ${done.keys}\n`);
        } else {
          const done = await client.post<{ secrets: number }>(`${pathOf(options)}/rotate`, undefined);
          session.print(done, () => `secrets sealed anew: ${done.secrets}\n`);
        }
      }),
    );
}

const pathOf = ({ instance }: Of): string =>
  instance === undefined ? '/api/v1/secrets' : `/api/v1/instances/${encodeURIComponent(instance)}/secrets`;

import type { Command } from 'commander';
import type { SecretView } from '../../../trust/secrets/secret-operations.ts';
import { SECRET_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';
import { readSecret } from '../read-secret.ts';
import type { Session } from '../session.ts';

/** Secrets of a company, or of the fleet: set and named, never shown. */
export function secretCommands(program: Command, { action, paged }: CommandSetup): void {
  const secrets = program.command('secrets').description('list secrets by name, set, remove or rotate them');
  paged(secrets.command('list', { isDefault: true }).description('list the names of secrets')).action(
    action<[PageOptions]>(async (session, options) => {
      const { path } = await ownerOf(session);
      return printPages(session, path, {}, options, SECRET_COLUMNS);
    }),
  );
  secrets
    .command('set')
    .description('set a secret: its value comes from standard input, or is asked for and not shown')
    .argument('<secret>', 'its name, as the configuration refers to it: secret:<name>')
    .option('--from-file <file>', 'take the value from this file')
    .allowUnknownOption() // refused as an argument too many: what is not known may be a secret, and is not repeated
    .action(
      action<[string, { fromFile?: string }]>(async (session, name, { fromFile }) => {
        const value = await readSecret(session.world, fromFile, name);
        const { path, owner } = await ownerOf(session);
        const client = await session.client();
        const secret = await client.put<SecretView>(`${path}/${encodeURIComponent(name)}`, { value });
        session.print(secret, () => `secret ${secret.name} of ${owner} set (version ${secret.version})\n`);
      }),
    );
  secrets
    .command('remove')
    .description('remove a secret')
    .argument('<secret>')
    .action(
      action<[string]>(async (session, name) => {
        const { path, owner } = await ownerOf(session);
        await (await session.client()).delete(`${path}/${encodeURIComponent(name)}`);
        session.print({ secret: name, removed: true }, () => `secret ${name} of ${owner} removed\n`);
      }),
    );
  secrets
    .command('rotate')
    .description('seal the secrets anew, under a new data key')
    .option('--master', 'wrap all data keys with a new master key instead')
    .action(
      action<[{ master?: boolean }]>(async (session, { master }) => {
        const client = await session.client();
        if (master) {
          const done = await client.post<{ master: string; keys: number }>('/api/v1/secrets/rotate-master', undefined);
          session.print(done, () => `master key ${done.master}; data keys wrapped with it: ${done.keys}\n`);
        } else {
          const { path, owner } = await ownerOf(session);
          const done = await client.post<{ secrets: number }>(`${path}/rotate`, undefined);
          session.print(done, () => `secrets of ${owner} sealed anew: ${done.secrets}\n`);
        }
      }),
    );
}

/** Whose secrets are meant: the company's that is named or selected, else the fleet's. */
async function ownerOf(session: Session): Promise<{ path: string; owner: string }> {
  const name = await session.company();
  if (name === undefined) return { path: '/api/v1/secrets', owner: 'the fleet' };
  return { path: `/api/v1/instances/${encodeURIComponent(name)}/secrets`, owner: name };
}

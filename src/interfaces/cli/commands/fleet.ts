import type { Command } from 'commander';
import type { InstanceView, KeyView } from '../../../colmeia.ts';
import { choice, KEY_KINDS, moment } from '../arguments.ts';
import { INSTANCE_COLUMNS, KEY_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';

/** Companies and keys. */
export function fleetCommands(program: Command, { action, paged }: CommandSetup): void {
  const instances = program.command('instances').description('list companies, or create one');
  paged(instances.command('list', { isDefault: true }).description('list companies')).action(
    action<[PageOptions]>((session, options) =>
      printPages(session, '/api/v1/instances', {}, options, INSTANCE_COLUMNS),
    ),
  );
  instances
    .command('create')
    .description('create a company')
    .argument('<name>')
    .addOption(choice('--tier <tier>', 'its share when there is more work than agents', ['gold', 'silver', 'bronze']))
    .action(
      action<[string, { tier?: string }]>(async (session, name, { tier }) => {
        const instance = await (await session.client()).post<InstanceView>('/api/v1/instances', { name, tier });
        session.print(instance, () => `company ${instance.name} created (${instance.tier})\n`);
      }),
    );

  const keys = program.command('keys').description('list keys, create or revoke one');
  paged(keys.command('list', { isDefault: true }).description('list keys'))
    .option('--instance <company>', 'only of this company')
    .action(
      action<[PageOptions & { instance?: string }]>((session, options) =>
        printPages(session, '/api/v1/keys', { instance: options.instance }, options, KEY_COLUMNS),
      ),
    );
  keys
    .command('create')
    .description('create a key; it is shown this once, on standard output')
    .addOption(choice('--kind <kind>', 'what it may do', KEY_KINDS).makeOptionMandatory())
    .option('--instance <company>', 'the company it is bound to')
    .option('--agent <agent-id>', 'the one agent it may act as')
    .option('--expires <time>', 'until when it counts, as in 2027-01-01T00:00:00Z', moment)
    .action(
      action<[{ kind: string; instance?: string; agent?: string; expires?: number }]>(
        async (session, { kind, instance, agent, expires }) => {
          const expires_at = expires === undefined ? undefined : new Date(expires).toISOString();
          const key = await (
            await session.client()
          ).post<KeyView & { key: string }>('/api/v1/keys', { kind, instance, agent_id: agent, expires_at });
          session.note(`key ${key.key_id} created; it is not shown again:`);
          session.print(key, () => `${key.key}\n`);
        },
      ),
    );
  keys
    .command('revoke')
    .description('make a key count no more')
    .argument('<key-id>')
    .action(
      action<[string]>(async (session, keyId) => {
        await (await session.client()).delete(`/api/v1/keys/${encodeURIComponent(keyId)}`);
        session.print({ key_id: keyId, revoked: true }, () => `key ${keyId} revoked\n`);
      }),
    );
}

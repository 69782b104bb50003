import type { Command } from 'commander';
import type { InstanceView } from '../../../colmeia.ts';
import { choice } from '../arguments.ts';
import { INSTANCE_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';

/** Companies. */
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
}

import { type Command, Option } from 'commander';
import type { KeyView } from '../../../colmeia.ts';
import { SCOPES } from '../../../trust/identity/principal.ts';
import { choice, duration, KEY_KINDS, moment } from '../arguments.ts';
import { KEY_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';
import type { Session } from '../session.ts';

type MadeKey = KeyView & { key: string };
type NewKey = {
  kind: string;
  agent?: string;
  scopes?: string;
  subject?: string;
  expires?: number;
};

/** Keys of operators, companies and agents. */
export function keyCommands(program: Command, { action, paged }: CommandSetup): void {
  const keys = program.command('keys').description('list keys, create, rotate or revoke one');
  paged(keys.command('list', { isDefault: true }).description('list keys')).action(
    action<[PageOptions]>(async (session, options) => {
      const query = { instance: await session.company() };
      return printPages(session, '/api/v1/keys', query, options, KEY_COLUMNS);
    }),
  );
  keys
    .command('create')
    .description('create a key; it is shown this once, on standard output')
    .addOption(choice('--kind <kind>', 'what it may do', KEY_KINDS).makeOptionMandatory())
    .option('--agent <agent-id>', 'the one agent it may act as')
    .option('--scopes <scopes>', `what it may be used for: ${SCOPES.join(',')} (default: all, of an agent read,run)`)
    .option('--subject <subject>', 'who holds it, as in user:ana@acme.example')
    .option('--expires <time>', 'until when it counts, as in 2027-01-01T00:00:00Z', moment)
    .action(
      action<[NewKey]>(async (session, { kind, agent, scopes, subject, expires }) => {
        // An operator's key is bound to none, whatever is selected.
        const instance = kind === 'operator' ? session.options.instance : await session.company();
        const expires_at = expires === undefined ? undefined : new Date(expires).toISOString();
        const wanted = { kind, instance, agent_id: agent, scopes: scopes?.split(','), subject, expires_at };
        printKey(session, await (await session.client()).post<MadeKey>('/api/v1/keys', wanted));
      }),
    );
  keys
    .command('rotate')
    .description('create a key in place of another, which ends when the overlap is over')
    .argument('<key-id>')
    .addOption(
      new Option('--overlap <time>', 'how long both count, as in 30s, 10m, 2h, 1d (default: 1h)').argParser(
        duration(0, 30 * 86_400_000),
      ),
    )
    .action(
      action<[string, { overlap?: number }]>(async (session, keyId, { overlap }) => {
        const wanted = overlap === undefined ? {} : { overlap_seconds: overlap / 1_000 };
        const path = `/api/v1/keys/${encodeURIComponent(keyId)}/rotate`;
        printKey(session, await (await session.client()).post<MadeKey>(path, wanted));
      }),
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

/** The key alone on standard output, as it is not shown again. */
function printKey(session: Session, key: MadeKey): void {
  session.note(`key ${key.key_id} created; it is not shown again:`);
  session.print(key, () => `${key.key}\n`);
}

import { ColmeiaError } from '../../../platform/errors.ts';
import { SYSTEM_INSTANCE } from '../../../trust/identity/principal.ts';
import { folderOf, hasFiles, moveFiles, readFiles } from '../company-files.ts';
import { writeConfigValue } from '../folder/write-config.ts';
import type { InstanceParts } from '../instance-parts.ts';
import { findInstance, listKeyIds, readMore } from '../instance-store.ts';
import { renameOperations } from '../operations/operation-store.ts';
import type { OperationDefinition } from '../operations/step.ts';
import { noInstance } from '../../../trust/identity/may.ts';

export type RenameInput = { to: string };
type Memory = { no: number; folder: string | null };
const COORDINATOR = { as: 'coordinator' } as const;

/** Throws INSTANCE_STATE while plans are open. The rows, then what refers to the name outside of them. A database has it nowhere. */
export function renameInstance(parts: InstanceParts): OperationDefinition<RenameInput, Memory> {
  const { store, append, directory, flow } = parts;
  return {
    result: () => ({}),
    steps: [
      {
        name: 'rows',
        async run({ instance, input: { to }, memory, keep }) {
          const moved = await findInstance(store, COORDINATOR, to);
          if (moved !== null && moved.no === memory.no) return;
          const kept = await findInstance(store, COORDINATOR, instance);
          if (kept === null) throw noInstance(instance);
          if (moved !== null || (await hasFiles(parts, { name: to, folder: null })))
            throw new ColmeiaError('INSTANCE_EXISTS', `instance "${to}" exists already`);
          await keep({ no: kept.no, folder: kept.folder });
          await flow.change({ instance, to });
        },
      },
      {
        name: 'writer',
        async run({ instance, input: { to }, operationId }) {
          await renameOperations(store, instance, to, operationId);
          await directory.changed(instance);
          await directory.changed(to);
          await flow.forgetKeys(await listKeyIds(store, to)); // they are proved anew, under the new name
          await flow.found(to);
        },
      },
      {
        name: 'files',
        async run({ instance, input: { to }, memory: { folder } }) {
          if (!(await hasFiles(parts, { name: to, folder }))) await moveFiles(parts, { name: instance, folder }, to);
          const place = folderOf(parts, { name: to, folder });
          if (place !== null && (await hasFiles(parts, { name: to, folder })))
            await writeConfigValue(place, 'config.json', ['name'], to);
        },
      },
      {
        name: 'accounts',
        async run({ instance, input: { to } }) {
          const kept = await findInstance(store, COORDINATOR, to);
          if (kept === null) throw noInstance(to);
          const { resources } = await readMore(store, COORDINATOR, to);
          const accounts = await parts.accounts(kept, await readFiles(parts, kept));
          for (const resource of resources) {
            const account = [accounts.jira, accounts.confluence].find(
              (one) => typeof one !== 'string' && resource.kind.startsWith(`${one.kind}-`),
            );
            if (account !== undefined && typeof account !== 'string') await account.rename(resource, instance, to);
          }
        },
      },
      {
        name: 'record',
        async run({ instance, input: { to }, by, operationId }) {
          const event = { type: 'instance.renamed', by, data: { name: instance, to, operation: operationId } };
          await append(SYSTEM_INSTANCE, [event]);
          await append(to, [event]);
        },
      },
    ],
  };
}

import fs from 'node:fs/promises';
import { ColmeiaError } from '../../../platform/errors.ts';
import { mustHave, mustOperate } from '../../../trust/identity/may.ts';
import { actorOf, type Principal } from '../../../trust/identity/principal.ts';
import { checkNewName } from '../instance-request.ts';
import { findInstance } from '../instance-store.ts';
import type { Instances } from '../instance-views.ts';
import { instanceExists } from '../life/create-instance.ts';
import { importedName } from './import-instance.ts';
import { listExports } from './list-exports.ts';
import { exportPath, type PortableParts } from './portable-parts.ts';
import { readManifest } from './read-portable.ts';

/** What operators do with files of exports. */
export function portableOperations(parts: PortableParts): Pick<Instances, 'importFrom' | 'exports'> {
  const { store, operations } = parts;
  const fileOf = async (file: string): Promise<string> => {
    const found = exportPath(parts, file);
    if ((await fs.lstat(found).catch(() => null))?.isFile() === true) return found;
    const message = `there is no ${file} in the exports folder`;
    throw new ColmeiaError('INVALID_REQUEST', message, { faults: [{ path: 'file', message }] });
  };
  return {
    async importFrom(who, { file, name, owners = false }) {
      mustManage(who);
      const manifest = await readManifest(await fileOf(file));
      const target = checkNewName(importedName(manifest, name), 'name');
      if ((await findInstance(store, { as: 'coordinator' }, target)) !== null) throw instanceExists(target);
      return operations.begin('import', target, { file, owners }, actorOf(who));
    },
    exports: {
      async list(who, query) {
        mustManage(who);
        return listExports(parts, query);
      },
      async path(who, file) {
        mustManage(who);
        return fileOf(file);
      },
      async remove(who, file) {
        mustManage(who);
        await fs.rm(await fileOf(file), { force: true });
      },
    },
  };
}

function mustManage(who: Principal): void {
  mustHave(who, 'administer');
  mustOperate(who);
}

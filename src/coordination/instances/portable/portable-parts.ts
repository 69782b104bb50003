import path from 'node:path';
import { ColmeiaError } from '../../../platform/errors.ts';
import type { TargetParts } from './target-steps.ts';

export type PortableParts = TargetParts & {
  /** null = there are no exports here. */
  exportsFolder: string | null;
  /** Of Colmeia. */
  version: string;
};

const SUFFIX = '.colmeia';

/** Throws INSTANCE_STATE where there is no place for exports. */
export function mustHaveExports({ exportsFolder }: Pick<PortableParts, 'exportsFolder'>): string {
  if (exportsFolder !== null) return exportsFolder;
  throw new ColmeiaError('INSTANCE_STATE', 'there are no exports here: companies have no files');
}

/** `acme_2026-11-21T19-14-00-123Z.colmeia`. */
export const exportName = (instance: string, now: number): string =>
  `${instance}_${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}${SUFFIX}`;

/** The path of a file in the exports folder. Throws INVALID_REQUEST for what is no name of such a file. */
export function exportPath(parts: Pick<PortableParts, 'exportsFolder'>, file: unknown): string {
  const folder = mustHaveExports(parts);
  // A file that somebody brought may have any plain name.
  if (typeof file === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.colmeia$/.test(file))
    return path.join(folder, file);
  const message = `must be the name of a file in the exports folder, as ${exportName('acme', 0)}`;
  throw new ColmeiaError('INVALID_REQUEST', `file ${message}`, { faults: [{ path: 'file', message }] });
}

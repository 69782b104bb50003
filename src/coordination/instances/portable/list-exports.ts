import fs from 'node:fs/promises';
import path from 'node:path';
import type { Page, PageQuery } from '../../../colmeia.ts';
import { decodeCursor, isTexts, pageLimit, pageOf } from '../../../platform/page.ts';
import { isColmeiaError } from '../../../platform/errors.ts';
import type { ExportView } from '../instance-views.ts';
import { mustHaveExports, type PortableParts } from './portable-parts.ts';
import { readManifest } from './read-portable.ts';

type Parts = Pick<PortableParts, 'exportsFolder'>;

/** By name, so that those of a company stand together, the oldest first. */
export async function listExports(parts: Parts, query: PageQuery): Promise<Page<ExportView>> {
  const folder = mustHaveExports(parts);
  const limit = pageLimit(query.limit);
  const after = decodeCursor(query.after, isTexts(1))?.[0] ?? '';
  const names = await fs.readdir(folder).catch(() => []);
  const files = names.filter((name) => name.endsWith('.colmeia') && !name.startsWith('.') && name > after).toSorted();
  const views: ExportView[] = [];
  for (const file of files.slice(0, limit + 1)) views.push(await viewOf(folder, file));
  return pageOf(
    views,
    limit,
    ({ file }) => [file],
    (view) => view,
  );
}

async function viewOf(folder: string, file: string): Promise<ExportView> {
  const { size, mtime } = await fs.lstat(path.join(folder, file));
  const view = { file, bytes: size, created_at: mtime.toISOString(), instance: null, colmeia: null, fault: null };
  try {
    const { company, colmeia, created_at } = await readManifest(path.join(folder, file));
    return { ...view, created_at, instance: company.name, colmeia };
  } catch (error) {
    if (isColmeiaError(error)) return { ...view, fault: error.message };
    throw error;
  }
}

import fs from 'node:fs/promises';
import path from 'node:path';
import { isCompanyName } from './company-name.ts';
import { COMPANY_FILES, COMPANY_FOLDERS } from './instance-folder.ts';
import { FILES_LIMIT } from './read-sql-files.ts';

/** What a reading of a folder depends on: every file and folder that is read, as it was. Contents are not read for it. */
export type FolderStamp = {
  marks: ReadonlyMap<string, string>;
  /** False: something was changed so shortly before that a further change may bear the same time. */
  isSettled: boolean;
};

const ABSENT = '-';
/** Times of files are no finer than the ticks of the kernel. */
const TICK_MS = 50;

/** One look after the other, as in reading. */
export async function folderStamp(folder: string): Promise<FolderStamp> {
  const marks = new Map<string, string>();
  let newest = 0;
  const look = async (file: string): Promise<void> => {
    const stats = await fs.stat(file, { bigint: true }).catch(() => null);
    marks.set(file, markOf(stats));
    newest = Math.max(newest, Number(stats?.ctimeMs ?? 0));
  };
  for (const file of Object.keys(COMPANY_FILES)) await look(path.join(folder, file));
  for (const place of await watchedPlaces(folder)) {
    await look(place);
    if (place === folder || marks.get(place) === ABSENT) continue;
    for (const name of await namesIn(place)) if (/\.(sql|json)$/.test(name)) await look(path.join(place, name));
  }
  return { marks, isSettled: Date.now() - newest > TICK_MS };
}

/** Whether everything is as it was: a folder tells of what came and went in it. */
export async function isCurrent({ marks }: FolderStamp): Promise<boolean> {
  for (const [file, mark] of marks) {
    const stats = await fs.stat(file, { bigint: true }).catch(() => null);
    if (markOf(stats) !== mark) return false;
  }
  return true;
}

function markOf(stats: { ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint } | null): string {
  return stats === null ? ABSENT : `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

/** The folders whose entries are read, whether they are there or not. */
export async function watchedPlaces(folder: string): Promise<string[]> {
  const places = COMPANY_FOLDERS.map((name) => path.join(folder, name));
  const components = await namesIn(places[0]!);
  const inside = components
    .filter(isCompanyName)
    .flatMap((name) => ['', 'migrations', 'seeds'].map((part) => path.join(places[0]!, name, part)));
  return [folder, ...places, ...inside];
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await fs.readdir(folder).catch(() => []);
  return names.sort().slice(0, FILES_LIMIT);
}

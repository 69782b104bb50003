import fs from 'node:fs/promises';
import type { CompanyFault } from '../instance-views.ts';
import { companyFault } from './validation-codes.ts';

const MIB = 2 ** 20;
const LOW_BYTES = 1_024 * MIB;
const FULL_BYTES = 64 * MIB;
/** Signed tokens and certificates bear a minute; two leave room for slow answers. */
const SKEW_MS = 120_000;

/** A disk, by a folder on it. `place` is what a company may know of it. */
export type CheckedDisk = { place: string; folder: string };

/** Room left on disks; a folder that is not there has its own check. */
export async function checkDisks(disks: readonly CheckedDisk[]): Promise<CompanyFault[]> {
  const faults: CompanyFault[] = [];
  for (const { place, folder } of disks) {
    const disk = await fs.statfs(folder).catch(() => null);
    const fault = disk === null ? null : diskFault(place, disk.bavail * disk.bsize);
    if (fault !== null) faults.push(fault);
  }
  return faults;
}

export function diskFault(place: string, freeBytes: number): CompanyFault | null {
  if (freeBytes >= LOW_BYTES) return null;
  const free = `${Math.floor(freeBytes / MIB)} MiB are free`;
  return companyFault(freeBytes < FULL_BYTES ? 'DISK_FULL' : 'DISK_LOW', place, free);
}

/** `aheadMs`: how far the other clock is ahead of this machine's. */
export function clockFault(place: string, aheadMs: number): CompanyFault | null {
  if (Math.abs(aheadMs) <= SKEW_MS) return null;
  const seconds = Math.round(Math.abs(aheadMs) / 1_000);
  return companyFault(
    'CLOCK_SKEW',
    place,
    `its clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's`,
  );
}

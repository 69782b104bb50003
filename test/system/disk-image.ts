import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const SIZE_MB = 192;

/** Why images of disks cannot be mounted here; null = they can. */
export function whyNoImages(): string | null {
  if (process.platform !== 'linux') return 'loop devices are a thing of Linux';
  if (process.getuid?.() !== 0) return 'only root may mount an image';
  try {
    execFileSync('losetup', ['--find'], { stdio: 'pipe' });
    execFileSync('mkfs.ext4', ['-V'], { stdio: 'pipe' });
  } catch (error) {
    return `there are no loop devices or no ext4 tools here (${(error as Error).message.split('\n')[0]})`;
  }
  return null;
}

/** An ext4 file system in a file, mounted beside it. What is in the file is what a disk would hold after a power cut. */
export class DiskImage {
  readonly folder: string;
  readonly #file: string;
  #isMounted = false;

  private constructor(file: string) {
    this.#file = file;
    this.folder = `${file}.mounted`;
    fs.mkdirSync(this.folder);
  }

  static create(file: string): DiskImage {
    fs.closeSync(fs.openSync(file, 'wx'));
    fs.truncateSync(file, SIZE_MB * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', '-F', file], { stdio: 'pipe' });
    const image = new DiskImage(file);
    image.#mount();
    return image;
  }

  /** A copy of the disk as it is now, without what the operating system still holds in memory. Mounted. */
  copyTo(file: string): DiskImage {
    execFileSync('cp', ['--sparse=always', this.#file, file]);
    const image = new DiskImage(file);
    image.#mount();
    return image;
  }

  /** Also makes everything durable that was not. */
  remove(): void {
    if (this.#isMounted) execFileSync('umount', [this.folder]);
    this.#isMounted = false;
    fs.rmSync(this.folder, { recursive: true, force: true });
    fs.rmSync(this.#file, { force: true });
  }

  #mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#file, this.folder], { stdio: 'pipe' });
    this.#isMounted = true;
  }
}

/** Unmounts whatever a test that died left below a folder, and removes it. */
export function removeImages(folder: string): void {
  const mounts = fs.readFileSync('/proc/mounts', 'utf8').split('\n');
  for (const point of mounts.map((line) => line.split(' ')[1]!).filter((at) => at?.startsWith(folder + path.sep)))
    execFileSync('umount', ['--lazy', point]);
  fs.rmSync(folder, { recursive: true, force: true });
}

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { extract as openExtract, type Extract } from 'tar-stream';
import { ColmeiaError, isColmeiaError } from '../../../platform/errors.ts';
import { exportInvalid, MANIFEST, parseManifest, type Manifest, type Part } from './portable-manifest.ts';

type ReadOptions = {
  /** Where the parts are put, which must not be there yet; null = they are only checked. */
  into: string | null;
  signal: AbortSignal;
  onBytes?: (bytes: number, of: number) => void;
};

const MOST_MANIFEST_BYTES = 64 * 1024 * 1024;
/** A manifest is mostly checksums, which hardly compress: of a small file a large one was made to fill the memory. */
const MANIFEST_RATIO = 16;
const SMALL_MANIFEST_BYTES = 8 * 1024 * 1024;
/** What is larger by more than this, unpacked, was made to fill a disk. */
const MOST_RATIO = 2_000;
const SMALL_BYTES = 64 * 1024 * 1024;
/** Headers and padding of one entry, long names among them. */
const ENTRY_BYTES = 4 * 1024;

/** One file of the archive. */
type Entry = Extract extends AsyncIterable<infer One> ? One : never;

/**
 * Reads an export from its first to its last byte, and puts its parts into a folder. Throws EXPORT_INVALID with the part and the
 * reason for whatever is damaged, cut short, doubled, not named in the manifest, or leads elsewhere; STORE_FULL.
 */
export async function readPortable(file: string, { into, signal, onBytes }: ReadOptions): Promise<Manifest> {
  const { size } = await statOf(file);
  const reading = new Reading(into, signal, onBytes);
  return unpack(file, size, reading, signal);
}

/** The manifest alone, which comes first; the rest of the file is not looked at. Throws EXPORT_INVALID. */
export async function readManifest(file: string): Promise<Manifest> {
  const { size } = await statOf(file);
  const found = Promise.withResolvers<Manifest>();
  const stop = new AbortController();
  const reading = new Reading(null, stop.signal);
  reading.onManifest = (manifest) => (found.resolve(manifest), stop.abort());
  unpack(file, size, reading, stop.signal).then(found.resolve, found.reject);
  return found.promise;
}

async function statOf(file: string): Promise<fs.Stats> {
  const stats = await fs.promises.lstat(file).catch(() => null);
  if (stats?.isFile() === true) return stats;
  throw exportInvalid(`there is no file ${path.basename(file)}`);
}

async function unpack(file: string, size: number, reading: Reading, signal: AbortSignal): Promise<Manifest> {
  reading.ceiling = Math.max(SMALL_BYTES, size * MOST_RATIO);
  reading.manifestLimit = Math.min(MOST_MANIFEST_BYTES, Math.max(SMALL_MANIFEST_BYTES, size * MANIFEST_RATIO));
  const extract = openExtract();
  const counting = new Transform({
    transform(chunk: Buffer, _, done) {
      reading.unpacked += chunk.length;
      if (reading.unpacked > reading.limit) done(exportInvalid('it unpacks to more than it says'));
      else done(null, chunk);
    },
  });
  const flowing = pipeline(fs.createReadStream(file), zlib.createZstdDecompress(), counting, extract, { signal });
  const [flowed, walked] = await Promise.allSettled([flowing, walk(extract, reading)]);
  signal.throwIfAborted();
  const failure = [walked, flowed].find((one) => one.status === 'rejected' && isColmeiaError(one.reason));
  for (const one of [failure, walked, flowed]) if (one?.status === 'rejected') throw explained(one.reason, reading);
  return reading.end();
}

async function walk(extract: Extract, reading: Reading): Promise<void> {
  try {
    for await (const entry of extract) await reading.take(entry);
  } catch (error) {
    extract.destroy(error as Error);
    throw error;
  }
}

/** What an export has shown so far. */
class Reading {
  onManifest: (manifest: Manifest) => void = () => {};
  unpacked = 0;
  ceiling = 0;
  manifestLimit = 0;
  readonly #into: string | null;
  readonly #signal: AbortSignal;
  readonly #onBytes: (bytes: number, of: number) => void;
  #manifest: Manifest | null = null;
  /** Not seen yet, by path. */
  readonly #left = new Map<string, Part>();
  #total = 0;
  #done = 0;
  /** Named in errors. */
  at = MANIFEST;

  constructor(into: string | null, signal: AbortSignal, onBytes: (bytes: number, of: number) => void = () => {}) {
    this.#into = into;
    this.#signal = signal;
    this.#onBytes = onBytes;
  }

  /** Bytes that may come out of the compression. */
  get limit(): number {
    if (this.#manifest === null) return this.manifestLimit;
    const parts = this.#manifest.parts.length;
    return this.#total + MOST_MANIFEST_BYTES + (parts + 16) * ENTRY_BYTES;
  }

  async take(entry: Entry): Promise<void> {
    this.#signal.throwIfAborted();
    const { name, type, size } = entry.header;
    if (this.#manifest === null) return this.#takeManifest(entry, name, size);
    this.at = shown(name);
    if (type !== 'file') throw exportInvalid(`${this.at} is a ${type}, no file`);
    const part = this.#left.get(name);
    if (part === undefined) throw exportInvalid(`${this.at} comes twice, or is not named in ${MANIFEST}`);
    if (size !== part.bytes) throw exportInvalid(`${this.at} has ${size} bytes instead of ${part.bytes}`);
    this.#left.delete(name);
    const hash = createHash('sha256');
    const hashing = new Transform({
      transform(chunk: Buffer, _, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    await pipeline(entry, hashing, await this.#sinkOf(part));
    if (hash.digest('hex') !== part.sha256)
      throw exportInvalid(`${this.at} has another checksum than ${MANIFEST} says`);
    this.#onBytes((this.#done += size), this.#total);
  }

  /** Throws when something is missing. */
  end(): Manifest {
    const [missing] = this.#left.keys();
    if (this.#manifest === null) throw exportInvalid(`it has no ${MANIFEST}`);
    if (missing !== undefined) throw exportInvalid(`${shown(missing)} is missing`);
    return this.#manifest;
  }

  async #takeManifest(entry: Entry, name: string, size: number): Promise<void> {
    if (name !== MANIFEST) throw exportInvalid(`it does not begin with ${MANIFEST}`);
    if (size > this.manifestLimit) throw exportInvalid(`${MANIFEST} is too large`);
    const chunks: Buffer[] = [];
    for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks);
    if (isDense(text)) throw exportInvalid(`${MANIFEST} has more lists in it than any export`);
    const manifest = parseManifest(text.toString('utf8'));
    for (const part of manifest.parts) {
      this.#left.set(part.path, part);
      this.#total += part.bytes;
    }
    if (this.#total > this.ceiling) throw exportInvalid('it says that it unpacks to far more than its size');
    await this.#mustHaveRoom();
    this.#manifest = manifest;
    this.onManifest(manifest);
  }

  async #mustHaveRoom(): Promise<void> {
    if (this.#into === null) return;
    await fs.promises.mkdir(this.#into, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await fs.promises.statfs(this.#into);
    if (bavail * bsize > this.#total + SMALL_BYTES) return;
    throw new ColmeiaError('STORE_FULL', `there is no room for the ${this.#total} bytes of the export`);
  }

  async #sinkOf({ path: name, executable }: Part): Promise<Writable> {
    if (this.#into === null) return new Writable({ write: (_chunk, _encoding, done) => done() });
    const target = path.join(this.#into, name);
    await fs.promises.mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    return fs.createWriteStream(target, { flags: 'wx', mode: executable ? 0o700 : 0o600 });
  }
}

/** Lists and objects of a few bytes take a hundred times as many in memory. */
function isDense(text: Buffer): boolean {
  let lists = 0;
  for (const byte of text) if (byte === 0x5b || byte === 0x7b) lists++;
  return lists > 1_000 + text.length / 16;
}

/** Of a damaged file the parts of the machinery say what they did not understand. */
function explained(error: unknown, reading: Reading): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (isColmeiaError(error)) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ColmeiaError('STORE_FULL', 'the disk is full', { cause: error });
  if (['EACCES', 'EMFILE', 'EIO', 'ENOENT'].includes(code)) return error;
  return exportInvalid(`it is damaged or cut short at ${reading.at} (${message})`, error);
}

const shown = (name: string): string => JSON.stringify(name.slice(0, 200)).slice(1, -1);

import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { pack as openPack, type Pack } from 'tar-stream';
import { ColmeiaError, isColmeiaError } from '../../../platform/errors.ts';
import { syncFolder } from '../folder/replace-file.ts';
import { isExecutable } from './company-tree.ts';
import type { SecretFinder } from './find-secrets.ts';
import { MANIFEST, type Manifest, type Part } from './portable-manifest.ts';
import { readManifest } from './read-portable.ts';

/** Enough of one chunk is looked at with the next one that no secret lies across their border. */
const OVERLAP = 64 * 1024;

/**
 * Digests of all files below a folder, by path. Throws INSTANCE_INVALID for the first that holds a secret that is found, and
 * never shown.
 */
export async function takeParts(folder: string, holdsSecret: SecretFinder, signal: AbortSignal): Promise<Part[]> {
  const entries = await fs.promises.readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
  const parts: Part[] = [];
  for (const file of files.toSorted()) {
    signal.throwIfAborted();
    const hash = createHash('sha256');
    let bytes = 0;
    const decoder = new StringDecoder('utf8');
    let before = '';
    for await (const chunk of fs.createReadStream(path.join(folder, file)) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      const text = before + decoder.write(chunk);
      if (holdsSecret(text)) throw hasSecret(file);
      before = text.slice(-OVERLAP);
    }
    parts.push({ path: file, bytes, sha256: hash.digest('hex'), executable: await isExecutable(folder, file) });
  }
  return parts;
}

/**
 * Writes the file of an export from its manifest and the folder of its parts: beside, then renamed, mode 600. Throws INSTANCE_INVALID
 * with the reason when no Colmeia would read it.
 */
export async function writePortable(
  file: string,
  folder: string,
  manifest: Manifest,
  options: { signal: AbortSignal; onBytes: (bytes: number) => void },
): Promise<number> {
  const exports = path.dirname(file);
  await fs.promises.mkdir(exports, { recursive: true, mode: 0o700 });
  const draft = path.join(exports, `.${path.basename(file)}.${randomUUID()}.part`);
  const pack = openPack();
  try {
    const compress = zlib.createZstdCompress({ params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } });
    const writing = pipeline(pack, compress, fs.createWriteStream(draft, { mode: 0o600, flags: 'wx', flush: true }), {
      signal: options.signal,
    });
    const adding = addParts(pack, folder, manifest, options.onBytes).catch((error: unknown) => {
      pack.destroy(error as Error);
      throw error;
    });
    await Promise.all([writing, adding]);
    await mustBeReadable(draft);
    const { size } = await fs.promises.stat(draft);
    await fs.promises.rename(draft, file);
    await syncFolder(exports);
    return size;
  } catch (error) {
    await fs.promises.rm(draft, { force: true });
    throw error;
  }
}

async function mustBeReadable(draft: string): Promise<void> {
  try {
    await readManifest(draft);
  } catch (error) {
    if (!isColmeiaError(error, 'EXPORT_INVALID')) throw error;
    throw new ColmeiaError('INSTANCE_INVALID', `The company was not exported: ${error.message}.`, { cause: error });
  }
}

async function addParts(
  pack: Pack,
  folder: string,
  manifest: Manifest,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const mtime = new Date(manifest.created_at);
  const text = JSON.stringify(manifest, null, 1);
  await new Promise<void>((resolve, reject) => {
    pack.entry({ name: MANIFEST, mode: 0o600, mtime }, text, (error) => (error ? reject(error) : resolve()));
  });
  let done = 0;
  for (const { path: name, bytes: size } of manifest.parts) {
    const entry = pack.entry({ name, size, mode: 0o600, mtime });
    await pipeline(fs.createReadStream(path.join(folder, name)), entry);
    onBytes((done += size));
  }
  pack.finalize();
}

const hasSecret = (file: string): ColmeiaError => {
  const message = `holds the value of a secret of the company; take it out, and refer to the secret by its name`;
  return new ColmeiaError('INSTANCE_INVALID', `${file} ${message}`, { faults: [{ path: file, message }] });
};

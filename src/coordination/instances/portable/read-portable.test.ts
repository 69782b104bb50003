import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { pack as openPack, type Pack } from 'tar-stream';
import { isColmeiaError, type ColmeiaError } from '../../../platform/errors.ts';
import { Secret } from '../../../platform/secret.ts';
import { finderOf } from './find-secrets.ts';
import type { Manifest, Part } from './portable-manifest.ts';
import { readManifest, readPortable } from './read-portable.ts';
import { takeParts, writePortable } from './write-portable.ts';

const { signal } = new AbortController();
const TEXTS: Record<string, string> = {
  'files/config.json': '{"name": "acme"}',
  'files/microservices/orders/index.js': 'x'.repeat(5_000),
  'database/definition.json': '{}',
  'database/rows/0.jsonl': '"(1,2)"\n'.repeat(2_000),
};
const partOf = (name: string, text: string): Part => {
  return {
    path: name,
    bytes: Buffer.byteLength(text),
    sha256: createHash('sha256').update(text).digest('hex'),
    executable: false,
  };
};
const manifestOf = (parts: Part[], more: object = {}): Manifest => ({
  format: 1,
  colmeia: '0.1.0',
  created_at: '2026-11-21T19:14:00.000Z',
  company: { name: 'acme', strategy: 'hybrid', tier: 'gold', template: 'default', budget_usd: null },
  owners: ['user:ana@acme.example'],
  secrets: ['mail_token'],
  database: { tables: [], rows: 0 },
  jira: null,
  confluence: null,
  left_out: [],
  parts,
  ...more,
});

type Header = Parameters<Pack['entry']>[0];

describe('the file of an export', () => {
  let home: string;
  let good: string;
  before(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-portable-'));
    const folder = path.join(home, 'parts');
    for (const [name, text] of Object.entries(TEXTS)) {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), text);
    }
    good = path.join(home, 'acme.colmeia');
    const parts = await takeParts(folder, finderOf([]), signal);
    await writePortable(good, folder, manifestOf(parts), { signal, onBytes: () => {} });
  });
  after(() => fs.rmSync(home, { recursive: true, force: true }));

  let files = 0;
  const place = (): string => path.join(home, `${++files}`);
  type Made = { header: Header; text: string };
  const made = (name: string, text: string, more: Partial<Header> = {}): Made => ({ header: { name, ...more }, text });

  /** A file made by hand, as somebody else may have. */
  async function handMade(entries: readonly Made[]): Promise<string> {
    const pack = openPack();
    for (const { header, text } of entries) pack.entry(header, text);
    pack.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of pack) chunks.push(chunk as Buffer);
    const file = place();
    fs.writeFileSync(file, zlib.zstdCompressSync(Buffer.concat(chunks)));
    return file;
  }
  const manifestEntry = (manifest: unknown): Made => made('manifest.json', JSON.stringify(manifest));

  async function refusal(file: string): Promise<string> {
    const into = place();
    const error = await readPortable(file, { into, signal }).then(
      () => assert.fail('it was read'),
      (reason: unknown) => reason,
    );
    assert.ok(isColmeiaError(error, 'EXPORT_INVALID'), String(error));
    return error.message;
  }

  test('what was written is read again, byte for byte', async () => {
    const into = place();
    const manifest = await readPortable(good, { into, signal });
    assert.deepEqual((await readManifest(good)).parts, manifest.parts);
    assert.deepEqual(
      manifest.parts.map(({ path: name }) => name),
      Object.keys(TEXTS).toSorted(),
    );
    for (const [name, text] of Object.entries(TEXTS))
      assert.equal(fs.readFileSync(path.join(into, name), 'utf8'), text);
    assert.equal(fs.statSync(good).mode & 0o777, 0o600);
    assert.deepEqual(
      fs.readdirSync(home).filter((name) => name.endsWith('.part')),
      [],
    );
  });

  test('what would be refused when it is read is not written', async () => {
    const folder = path.join(home, 'parts');
    const parts = (await readManifest(good)).parts;
    const target = path.join(home, 'refused.colmeia');
    const cases: [Manifest, RegExp][] = [
      [
        manifestOf(parts, { left_out: Array.from({ length: 9_000 }, () => 'x'.repeat(1_000)) }),
        /manifest.json is too large/,
      ],
      [manifestOf(parts, { secrets: ['x'.repeat(1_001)] }), /no valid secrets/],
    ];
    for (const [manifest, says] of cases) {
      const writing = writePortable(target, folder, manifest, { signal, onBytes: () => {} });
      await assert.rejects(writing, (error) => isColmeiaError(error, 'INSTANCE_INVALID') && says.test(error.message));
    }
    assert.deepEqual(
      fs.readdirSync(home).filter((name) => name.includes('refused')),
      [],
    );
  });

  test('with any byte changed, or cut anywhere, it is refused or reads the same', async () => {
    const bytes = fs.readFileSync(good);
    const file = place();
    const outcome = async (changed: Buffer): Promise<void> => {
      fs.writeFileSync(file, changed);
      const into = place();
      try {
        await readPortable(file, { into, signal });
      } catch (error) {
        return assert.ok(isColmeiaError(error, 'EXPORT_INVALID'), String((error as Error).stack));
      }
      for (const [name, text] of Object.entries(TEXTS))
        assert.equal(fs.readFileSync(path.join(into, name), 'utf8'), text);
    };
    const flips = fc.record({ at: fc.nat(bytes.length - 1), by: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(flips, async ({ at, by }) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= by;
        await outcome(changed);
      }),
      { numRuns: 300 },
    );
    for (let length = 0; length < bytes.length; length += 97) await outcome(bytes.subarray(0, length));
  });

  test('a newer format is refused with the version that it takes', async () => {
    assert.match(await refusal(await handMade([manifestEntry({ format: 2, colmeia: '3.1.4' })])), /3\.1\.4 or later/);
  });

  test('what the manifest does not name, doubles, leaves out or has otherwise is refused by its name', async () => {
    const one = partOf('files/a', 'aaa');
    const head = manifestEntry(manifestOf([one]));
    const cases: [Made[], RegExp][] = [
      [[head, made('files/a', 'aaa'), made('files/b', 'b')], /files\/b comes twice, or is not named/],
      [[head, made('files/a', 'aaa'), made('files/a', 'aaa')], /files\/a comes twice/],
      [[head], /files\/a is missing/],
      [[head, made('files/a', 'aab')], /files\/a has another checksum/],
      [[head, made('files/a', 'aaaa')], /files\/a has 4 bytes instead of 3/],
      [[head, made('files/a', '', { type: 'symlink', linkname: '/etc/passwd' })], /files\/a is a symlink/],
      [[head, made('files/a', '', { type: 'directory' })], /files\/a is a directory/],
      [[made('files/a', 'aaa'), head], /does not begin with manifest.json/],
      [[], /has no manifest.json/],
      [[manifestEntry([])], /no object/],
      [[made('manifest.json', '{')], /no JSON/],
      [[manifestEntry({ ...manifestOf([one]), company: { name: '../x' } })], /no valid company/],
      [[manifestEntry({ ...manifestOf([one]), owners: [1], secrets: 'x' })], /no valid owners, secrets/],
      [[manifestEntry(manifestOf([one, one]))], /files\/a is named twice/],
      [[manifestEntry(manifestOf([one, partOf('files/A', 'x')]))], /named twice/],
    ];
    for (const [entries, says] of cases) assert.match(await refusal(await handMade(entries)), says);
    assert.match(await refusal(path.join(home, 'none.colmeia')), /there is no file/);
  });

  test('a path that leads out of the folder, or that some system reads otherwise, is refused', async () => {
    const paths = [
      '../x',
      '/etc/x',
      'files/../../x',
      'files//x',
      'files/./x',
      'x',
      'files/a\\b',
      'files/c:x',
      'files/x\u0000',
      'files/x.',
      'files/',
      'manifest.json',
    ];
    for (const name of paths) {
      const entries = [
        manifestEntry(manifestOf([{ ...partOf('files/a', 'aaa'), path: name }])),
        made('files/a', 'aaa'),
      ];
      assert.match(await refusal(await handMade(entries)), /no valid parts/, name);
    }
    const entries = [manifestEntry(manifestOf([partOf('files/a', 'aaa')])), made('../outside', 'aaa')];
    assert.match(await refusal(await handMade(entries)), /not named/);
    assert.ok(!fs.existsSync(path.join(home, 'outside')));
  });

  test('what unpacks to far more than its size, or than it says, is refused before the disk is full', async () => {
    const zeros = 'a'.repeat(1_000);
    const huge = { ...partOf('files/a', zeros), bytes: 10 ** 12 };
    assert.match(await refusal(await handMade([manifestEntry(manifestOf([huge]))])), /far more than its size/);
    const file = place();
    const tail = Buffer.alloc(300 * 1024 * 1024);
    fs.writeFileSync(file, Buffer.concat([fs.readFileSync(good), zlib.zstdCompressSync(tail)]));
    await readPortable(file, { into: place(), signal }).catch((error: unknown) => {
      assert.ok(isColmeiaError(error, 'EXPORT_INVALID'), String(error));
    });
  });

  test('a part that holds a secret keeps the file from being written, also across two reads', async () => {
    const finder = finderOf([new Secret('correct horse battery staple')]);
    const folder = path.join(home, 'leaking');
    fs.mkdirSync(path.join(folder, 'database'), { recursive: true });
    fs.writeFileSync(path.join(folder, 'database/x.jsonl'), `${'y'.repeat(65_520)}correct horse battery staple`);
    await assert.rejects(
      takeParts(folder, finder, signal),
      (error: ColmeiaError) =>
        /^database\/x.jsonl holds the value of a secret/.test(error.message) && !error.message.includes('horse'),
    );
  });

  test('a secret is found whole, as JSON, base64 or a URL have it; the beginning of an address is none', () => {
    const holds = finderOf([
      new Secret('https://user:p%40ss-w0rd "x"@mail.example.com/box'),
      new Secret('line one\nline two'),
    ]);
    for (const text of [
      'line one\nline two',
      JSON.stringify({ a: 'line one\nline two' }),
      btoa('line one\nline two'),
      'p%40ss-w0rd%20%22x%22',
    ])
      assert.ok(holds(`before ${text} after`), text);
    for (const text of ['https://user:', 'mail.example.com/box', 'line one', 'line two']) assert.ok(!holds(text), text);
  });
});

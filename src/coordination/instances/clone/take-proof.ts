import { createHash } from 'node:crypto';
import { noInstance } from '../../../trust/identity/may.ts';
import { folderOf, readFiles } from '../company-files.ts';
import { placeOf } from '../company-place.ts';
import { compareFingerprints, type DatabaseFingerprint } from '../databases/fingerprint.ts';
import { placeNames } from '../databases/place-names.ts';
import { COMPANY_FILES } from '../folder/instance-folder.ts';
import type { FolderReading } from '../folder/read-folder.ts';
import { findInstance, placeIdOf, readMore, type KeptInstance } from '../instance-store.ts';
import { carriedText, isJson } from '../portable/carry-files.ts';
import { identityOf, withoutIdentity } from '../portable/company-identity.ts';
import { digestTree, listTree } from '../portable/company-tree.ts';
import { canonicalJson } from '../../../platform/contracts/canonical-json.ts';
import { ordersOf } from '../portable/issue-orders.ts';
import { accountsOfClone } from './clone-accounts.ts';
import { nothingThere, proofPart, type CloneProof, type ProofPart } from './clone-proof.ts';
import type { CloneMemory, CloneParts } from './clone-parts.ts';
import { compareRecords, digestRecords } from './compare-records.ts';
import { filesWithSecrets, sharedSecrets } from './shared-secrets.ts';

type ProofInput = {
  operationId: string;
  source: string;
  target: string;
  memory: CloneMemory;
  progress(detail: string, share?: number): void;
  signal: AbortSignal;
};

type Side = { kept: KeptInstance; folder: FolderReading | null };
type Sides = { source: Side; target: Side };
const COORDINATOR = { as: 'coordinator' } as const;

/** Compares a finished copy with what it was made from, part by part. Changes nothing. */
export async function takeProof(parts: CloneParts, input: ProofInput): Promise<CloneProof> {
  const { memory, progress, signal } = input;
  const sides = { source: await sideOf(parts, input.source), target: await sideOf(parts, input.target) };
  const frozen = memory.database!;
  const proof: CloneProof = {
    format: 1,
    operation: input.operationId,
    source: input.source,
    target: input.target,
    frozen_at: frozen.frozenAt,
    freeze_ms: frozen.freezeMs,
    proved_at: new Date(parts.clock.now()).toISOString(),
    holds: false,
    parts: [],
    tables: frozen.fingerprint.tables,
    must_differ: [],
    secrets_to_set: await secretsToSet(parts, sides.target),
  };
  const looks: (() => Promise<ProofPart>)[] = [
    () => proveDatabase(parts, sides, frozen.fingerprint),
    () => proveAccount(parts, sides, 'jira', input),
    () => proveAccount(parts, sides, 'confluence', input),
    () => proveFiles(sides, signal),
    () => proveConfiguration(sides, proof.must_differ),
    () => proveSecrets(parts, sides),
    () => proveSeparation(parts, sides),
  ];
  for (const [i, look] of looks.entries()) {
    signal.throwIfAborted();
    const part = await look();
    proof.parts.push(part);
    progress(`${part.part}: ${part.state}`, (i + 1) / looks.length);
  }
  proof.holds = proof.parts.every(({ state }) => state !== 'differs');
  return proof;
}

async function sideOf(parts: CloneParts, name: string): Promise<Side> {
  const kept = await findInstance(parts.store, COORDINATOR, name);
  if (kept === null) throw noInstance(name);
  return { kept, folder: await readFiles(parts, kept) };
}

async function secretsToSet(parts: CloneParts, { kept, folder }: Side): Promise<string[]> {
  const stored = new Set(await parts.secrets.names(kept.name));
  const wanted = new Set(folder?.secrets.map(({ name }) => name));
  return [...wanted].filter((name) => !stored.has(name)).toSorted();
}

async function proveDatabase(parts: CloneParts, { target }: Sides, frozen: DatabaseFingerprint): Promise<ProofPart> {
  const place = await placeOf(parts, target.kept, { folder: target.folder });
  const found = shortFingerprint(await parts.databases.fingerprint(place));
  const rows = Object.values(frozen.tables).reduce((sum, table) => sum + table.rows, 0);
  const counts = [Object.keys(frozen.tables), Object.keys(frozen.sequences), Object.keys(frozen.objects)];
  const [tables, sequences, objects] = counts.map(({ length }) => length);
  const compared = `${tables} tables with ${rows} rows, ${sequences} sequences, ${objects} definitions`;
  return proofPart('database', compared, compareFingerprints(frozen, found));
}

/** Definitions as digests: what they say may be long, and is not the proof's business. */
export function shortFingerprint(fingerprint: DatabaseFingerprint): DatabaseFingerprint {
  const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 20);
  const objects = Object.entries(fingerprint.objects).map(([name, text]) => [name, short(text)] as const);
  return { ...fingerprint, objects: Object.fromEntries(objects) };
}

async function proveAccount(
  parts: CloneParts,
  { source, target }: Sides,
  which: 'jira' | 'confluence',
  { memory, signal }: ProofInput,
): Promise<ProofPart> {
  const copy = memory[which] ?? null;
  if (copy === null) return nothingThere(which, 'the source has none');
  const accounts = await accountsOfClone(parts, source.kept.name)(target.kept, target.folder);
  const account = accounts[which];
  if (typeof account === 'string') return proofPart(which, 'nothing', [`it cannot be looked at: ${account}`]);
  const digestsOf = async (key: string, issues: string | undefined) =>
    digestRecords(account.records(key, { signal, checksums: true, issueOrder: await ordersOf(accounts.jira, issues) }));
  const found = await digestsOf(copy.to, memory.jira?.to);
  const frozen = copy.frozen!;
  const isSame = found.length === frozen.length && found.every((digest, i) => digest === frozen[i]);
  // The source is read once more only to tell what was changed in it meanwhile.
  const now = isSame ? frozen : await digestsOf(copy.from, memory.jira?.from);
  const left = copy.counts?.left ?? [];
  const kind = which === 'jira' ? 'issue' : 'page';
  const compared = compareRecords(kind, { frozen, now, target: found }, left);
  const what = `${copy.from} and ${copy.to}: ${found.length} ${kind}s with attachments`;
  return proofPart(which, what, compared.differences, left);
}

async function proveFiles({ source, target }: Sides, signal: AbortSignal): Promise<ProofPart> {
  if (source.folder === null || target.folder === null) return nothingThere('files', 'companies have no files here');
  const digestsOf = async (folder: string): Promise<Map<string, string>> => {
    const { files } = await listTree(folder);
    return digestTree(
      folder,
      files.filter((file) => !isJson(file.path)),
      signal,
    );
  };
  const [was, is] = [await digestsOf(source.folder.folder), await digestsOf(target.folder.folder)];
  const differences = [...new Set([...was.keys(), ...is.keys()])].toSorted().flatMap((file) => {
    if (was.get(file) === is.get(file)) return [];
    if (!is.has(file)) return [`${file}: missing`];
    return [`${file}: ${was.has(file) ? 'has other bytes' : 'not in the source'}`];
  });
  return proofPart('files', `${was.size} files by SHA-256`, differences);
}

async function proveConfiguration(
  { source, target }: Sides,
  mustDiffer: CloneProof['must_differ'],
): Promise<ProofPart> {
  if (source.folder === null || target.folder === null)
    return nothingThere('configuration', 'companies have no files here');
  const differences: string[] = [];
  const names = Object.keys(COMPANY_FILES).filter(isJson);
  for (const file of names) {
    const [was, is] = await Promise.all([valueIn(source.folder.folder, file), valueIn(target.folder.folder, file)]);
    if (canonicalJson(withoutIdentity(file, was)) !== canonicalJson(withoutIdentity(file, is)))
      differences.push(`${file}: differs beyond the fields that say whose it is`);
    const [wasOwn, isOwn] = [identityOf(file, was), identityOf(file, is)];
    for (const what of Object.keys({ ...wasOwn, ...isOwn }))
      if (canonicalJson(wasOwn[what] ?? null) !== canonicalJson(isOwn[what] ?? null))
        mustDiffer.push({ what, source: wasOwn[what] ?? null, target: isOwn[what] ?? null });
  }
  return proofPart('configuration', `${names.join(', ')} by their fields`, differences);
}

/** As it goes along: with references in the places of plain secrets. null = it is not there. */
async function valueIn(folder: string, file: Parameters<typeof carriedText>[1]): Promise<unknown> {
  try {
    return JSON.parse(await carriedText(folder, file)) as unknown;
  } catch {
    return null;
  }
}

async function proveSecrets(parts: CloneParts, { source, target }: Sides): Promise<ProofPart> {
  const { secrets } = parts;
  const differences = await sharedSecrets(secrets, source.kept.name, target.kept.name);
  const folder = folderOf(parts, target.kept);
  if (folder !== null)
    for (const file of await filesWithSecrets(secrets, source.kept.name, folder, await listTree(folder)))
      differences.push(`${file} holds the value of a secret of ${source.kept.name}`);
  const counts = await Promise.all([source, target].map(({ kept }) => secrets.names(kept.name)));
  return proofPart(
    'secrets',
    `${counts[0]!.length} secrets of the source, ${counts[1]!.length} of the target`,
    differences,
  );
}

/** Nothing that was made for one is the other's, and neither's role may anything in the other's place. */
async function proveSeparation(parts: CloneParts, { source, target }: Sides): Promise<ProofPart> {
  const differences: string[] = [];
  const resources = [];
  for (const { kept, folder } of [source, target]) {
    const own = (await readMore(parts.store, COORDINATOR, kept.name)).resources;
    const place = await placeOf(parts, kept, { folder });
    const { roleFaults, reachable, reason } = await parts.databases.inspect(place);
    const other = placeNames(placeIdOf(kept === source.kept ? target.kept : source.kept));
    const crossing = kept === target.kept ? roleFaults : roleFaults.filter((fault) => fault.includes(other.role));
    differences.push(...(reachable ? crossing : [`the database of ${kept.name} cannot be looked at: ${reason}`]));
    resources.push(own.map(({ kind, id, site }) => `${kind} ${id}${site === '' ? '' : ` at ${site}`}`));
  }
  const [was, is] = resources;
  differences.push(...is!.filter((one) => was!.includes(one)).map((one) => `${one} is of both companies`));
  return proofPart('separation', `${is!.length} resources of the target, roles and their rights`, differences);
}

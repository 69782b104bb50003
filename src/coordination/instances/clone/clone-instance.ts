import path from 'node:path';
import { ColmeiaError } from '../../../platform/errors.ts';
import { noInstance } from '../../../trust/identity/may.ts';
import { folderOf, hasFiles, readFiles, removeFiles } from '../company-files.ts';
import { placeOf } from '../company-place.ts';
import { findInstance, type KeptInstance } from '../instance-store.ts';
import { instanceExists } from '../life/create-instance.ts';
import type { OperationDefinition } from '../operations/step.ts';
import { carryFiles, writeDocument } from '../portable/carry-files.ts';
import { removeTarget } from '../portable/remove-target.ts';
import { activateTarget, registerTarget, runInitStep } from '../portable/target-steps.ts';
import { accountsOfClone } from './clone-accounts.ts';
import type { CloneContext, CloneInput, CloneMemory, CloneParts, CloneStep } from './clone-parts.ts';
import { contentStep, newAccountCopy } from './copy-content.ts';
import { planClone } from './plan-clone.ts';
import { surveySource } from './survey-source.ts';
import { shortFingerprint, takeProof } from './take-proof.ts';

/** In the folder of a company that was cloned. */
const PROOF_FILE = 'clone-proof.json';
const COORDINATOR = { as: 'coordinator' } as const;

/**
 * Makes a company from another one, under its own name, with a proof in the end. The target is paused until the proof holds; the
 * source works on, and nothing of it is changed but its journal. Undone, all of the target goes.
 */
export function cloneInstance(parts: CloneParts): OperationDefinition<CloneInput, CloneMemory> {
  return {
    result: ({ proof = null, made = [], health = 'unknown' }) => ({ proof, made, health }),
    plan: (instance, input) => planClone(parts, instance, input),
    steps: [
      checkStep(parts),
      filesStep(parts),
      registryStep(parts),
      secretsStep(parts),
      initStep(parts, 'supabase', () => true),
      initStep(parts, 'database', () => true),
      rowsStep(parts),
      initStep(parts, 'jira', ({ jira }) => jira !== null),
      contentStep(parts, 'jira', 'issues'),
      initStep(parts, 'confluence', ({ confluence }) => confluence !== null),
      contentStep(parts, 'confluence', 'pages'),
      initStep(parts, 'validation', () => true),
      proofStep(parts),
      activateStep(parts),
    ],
  };
}

async function keptOf(parts: CloneParts, name: string): Promise<KeptInstance> {
  const kept = await findInstance(parts.store, COORDINATOR, name);
  if (kept === null) throw noInstance(name);
  return kept;
}

const checkStep = (parts: CloneParts): CloneStep => ({
  name: 'check',
  async run({ instance, input, progress }) {
    const survey = await surveySource(parts, input.source, instance);
    const stop = survey.obstacles.filter(({ severity }) => severity === 'error');
    if (stop.length > 0)
      throw new ColmeiaError(
        'INSTANCE_STATE',
        `"${input.source}" cannot be cloned: ${stop.map((one) => `${one.place} ${one.message}`).join('; ')}`,
        {
          faults: stop.map(({ place, message }) => ({ path: place, message })),
        },
      );
    progress('nothing stands in the way');
    return {
      removal: undefined, // of a former try
      jira: survey.jira === null ? null : newAccountCopy(survey.jira.key),
      confluence: survey.confluence === null ? null : newAccountCopy(survey.confluence.key),
      secrets: [...new Set(survey.folder?.secrets.map(({ name }) => name))].toSorted(),
    };
  },
});

const filesStep = (parts: CloneParts): CloneStep => ({
  name: 'files',
  async run({ instance, input, memory, keep, signal }) {
    const from = folderOf(parts, await keptOf(parts, input.source));
    const target = { name: instance, folder: null };
    const to = folderOf(parts, target);
    if (from === null || to === null) return;
    const isThere = await hasFiles(parts, target);
    if (isThere && memory.laysOut) return;
    if (isThere) throw instanceExists(instance);
    await keep({ laysOut: true });
    const instancesFolder = parts.instancesFolder!;
    await carryFiles({ from, to, instancesFolder, name: instance, formerName: input.source, signal });
  },
  async undo({ instance, memory }) {
    if (memory.laysOut && !memory.registers) await removeFiles(parts, { name: instance, folder: null });
  },
});

const registryStep = (parts: CloneParts): CloneStep => ({
  name: 'registry',
  async run(context) {
    const source = await keptOf(parts, context.input.source);
    await registerTarget(parts, context, source, { cloned_from: source.name });
  },
  async undo(context) {
    if (!context.memory.registers) return;
    const accounts = accountsOfClone(parts, context.input.source);
    await removeTarget({ ...parts, accounts }, context, context.memory.removal);
  },
});

/** None is copied: what the files refer to is asked for, but for what Colmeia makes itself. */
const secretsStep = (parts: CloneParts): CloneStep => ({
  name: 'secrets',
  async run({ instance, memory, progress }) {
    const stored = new Set(await parts.secrets.names(instance));
    const missing = (memory.secrets ?? []).filter((name) => !stored.has(name));
    progress(missing.length === 0 ? 'none to set' : `to be set: ${missing.join(', ')}`);
  },
});

/** A step of initializing a company, by the accounts of the source. */
function initStep(parts: CloneParts, name: string, isWanted: (memory: CloneMemory) => boolean): CloneStep {
  return {
    name,
    async run(context: CloneContext) {
      if (!isWanted(context.memory)) return context.progress('the source has none');
      const accounts = accountsOfClone(parts, context.input.source);
      return runInitStep({ ...parts, accounts }, name, context);
    },
  };
}

const rowsStep = (parts: CloneParts): CloneStep => ({
  name: 'rows',
  async run({ instance, input, progress, signal, operationId, by }) {
    const [source, target] = [await keptOf(parts, input.source), await keptOf(parts, instance)];
    const [from, to] = await Promise.all([source, target].map((kept) => placeOf(parts, kept)));
    const options = { workFolder: path.join(parts.workFolder, operationId), operationId, progress, signal };
    const { frozenAt, freezeMs, tables, rows, fingerprint } = await parts.databases.copy(from!, to!, options);
    progress(`${rows} rows in ${tables} tables as of ${frozenAt}; writes waited ${Math.round(freezeMs)} ms`, 1);
    const data = { to: instance, operation: operationId, frozen_at: frozenAt, rows };
    await parts.append(input.source, [{ type: 'instance.cloned', by, data }]);
    return { database: { frozenAt, freezeMs, tables, rows, fingerprint: shortFingerprint(fingerprint) } };
  },
});

const proofStep = (parts: CloneParts): CloneStep => ({
  name: 'proof',
  async run({ instance, input, memory, progress, keep, signal, operationId }) {
    const proof = await takeProof(parts, {
      operationId,
      source: input.source,
      target: instance,
      memory,
      progress,
      signal,
    });
    const folder = await readFiles(parts, await keptOf(parts, instance));
    if (folder !== null) await writeDocument(folder.folder, PROOF_FILE, proof);
    await keep({ proof });
    if (proof.holds) return progress('equal, but for what must differ');
    const found = proof.parts.flatMap(({ part, differences }) => differences.map((text) => `${part}: ${text}`));
    const message = `"${instance}" is not equal to "${input.source}": ${found.slice(0, 3).join('; ')}`;
    throw new ColmeiaError('CLONE_DIFFERS', message, { faults: found.map((text) => ({ path: '', message: text })) });
  },
});

const activateStep = (parts: CloneParts): CloneStep => ({
  name: 'activate',
  run: (context) => activateTarget(parts, context, `the clone of ${context.input.source} is proved`),
});

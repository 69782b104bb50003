import { ColmeiaError, ERROR_CODES, isColmeiaError, type ErrorCode } from '../../../platform/errors.ts';
import { SYSTEM_INSTANCE } from '../../../trust/identity/principal.ts';
import { hasFiles, layOutFiles, removeFiles } from '../company-files.ts';
import { insertInstance, findInstance, type NewRow } from '../instance-store.ts';
import type { InstanceParts } from '../instance-parts.ts';
import type { OperationDefinition } from '../operations/step.ts';

/** `adopts`: a folder that is there becomes the company's. */
export type CreateInput = NewRow & { adopts: boolean };
type Memory = { laysOut?: boolean; registers?: boolean };
const COORDINATOR = { as: 'coordinator' } as const;

export const instanceExists = (name: string): ColmeiaError =>
  new ColmeiaError('INSTANCE_EXISTS', `instance "${name}" exists already`);

/** Resolves when the company is there; throws what its making failed with, and nothing of it stays then. */
export async function foundInstance(parts: InstanceParts, input: CreateInput, by: string): Promise<void> {
  const { operations, store } = parts;
  if ((await findInstance(store, COORDINATOR, input.name)) !== null) throw instanceExists(input.name);
  const { id } = await operations.begin('create', input.name, input, by).catch((error: unknown) => {
    throw isColmeiaError(error, 'INSTANCE_BUSY') ? instanceExists(input.name) : error;
  });
  const last = await operations.ended(id);
  if (last === null) throw new ColmeiaError('INSTANCE_BUSY', `"${input.name}" is still being made (operation ${id})`);
  if (last.state === 'completed') return;
  const { code, message } = last.error ?? { code: 'INTERNAL', message: 'the company could not be made' };
  throw new ColmeiaError(code in ERROR_CODES ? (code as ErrorCode) : 'INTERNAL', message);
}

/** Its files first, then its row with the head of its journal: who finds the row finds all of it. */
export function createInstance(parts: InstanceParts): OperationDefinition<CreateInput, Memory> {
  const { store, append, directory, flow } = parts;
  return {
    undoOnFailure: true,
    result: () => ({}),
    steps: [
      {
        name: 'files',
        async run({ input, memory, keep }) {
          if (!input.adopts && !memory.laysOut && (await hasFiles(parts, input)))
            throw new ColmeiaError(
              'INSTANCE_EXISTS',
              `there is a folder of "${input.name}" already: reconcile registers it`,
            );
          await keep({ laysOut: true });
          await layOutFiles(parts, input, 'complete');
        },
        async undo({ input, memory }) {
          if (memory.laysOut && !memory.registers && !input.adopts) await removeFiles(parts, input);
        },
      },
      {
        name: 'registry',
        async run({ input, memory, keep, by }) {
          const { name, tier, strategy, template, budgetUsd } = input;
          const isThere = (await findInstance(store, COORDINATOR, name)) !== null;
          if (isThere && memory.registers) return;
          if (isThere) throw instanceExists(name);
          await keep({ registers: true });
          const data = { name, tier, strategy, template, budget_usd: budgetUsd };
          const event = { type: 'instance.created', by, data };
          await append(SYSTEM_INSTANCE, [event], insertInstance(input)).catch(async (error: unknown) => {
            // Should the answer be lost and the row be there, it is gone on with.
            if ((await findInstance(store, COORDINATOR, name)) !== null) return;
            await keep({ registers: false });
            throw error;
          });
        },
      },
      {
        name: 'writer',
        async run({ instance }) {
          await directory.changed(instance);
          await flow.found(instance);
        },
      },
    ],
  };
}

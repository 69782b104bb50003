import { removeFiles } from '../company-files.ts';
import type { InstanceParts } from '../instance-parts.ts';
import { findInstance } from '../instance-store.ts';
import { deleteInstance } from '../life/delete-instance.ts';
import type { StepContext } from '../operations/step.ts';

type Removal = Record<string, unknown>;
/** Those that a removal goes on with when the row is gone. */
const LAST_STEPS = ['rows', 'record'];
const COORDINATOR = { as: 'coordinator' } as const;

/**
 * Takes away the company that an operation made, the way any company is deleted, with nothing left in the end; without an export,
 * as all of it is somewhere else. May be cut and repeated: what the removal knows is kept in the memory of the operation.
 */
export async function removeTarget(
  parts: InstanceParts,
  context: Pick<
    StepContext<unknown, { removal?: Removal }>,
    'operationId' | 'instance' | 'by' | 'signal' | 'progress' | 'keep'
  >,
  known: Removal | undefined,
): Promise<void> {
  const { instance, keep } = context;
  const memory: Removal = { ...known };
  const keepRemoval = async (found: Removal): Promise<void> => {
    Object.assign(memory, found);
    await keep({ removal: memory });
  };
  for (const step of deleteInstance({ ...parts, exportLast: null }).steps) {
    const isThere = (await findInstance(parts.store, COORDINATOR, instance)) !== null;
    if ((!isThere && !LAST_STEPS.includes(step.name)) || memory.recorded === true) continue;
    const input = { export: false, force: false };
    const found = await step.run({ ...context, input, memory: memory as never, keep: keepRemoval });
    await keepRemoval({ ...found, recorded: step.name === 'record' });
  }
  await removeFiles(parts, { name: instance, folder: null });
  await parts.directory.changed(instance);
}

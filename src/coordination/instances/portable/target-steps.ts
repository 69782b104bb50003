import { SYSTEM_INSTANCE } from '../../../trust/identity/principal.ts';
import type { InstanceParts } from '../instance-parts.ts';
import { findInstance, insertInstance, setState, type NewRow } from '../instance-store.ts';
import type { ValidationReport } from '../instance-views.ts';
import { instanceExists } from '../life/create-instance.ts';
import { initInstance } from '../life/init-instance.ts';
import type { StepContext } from '../operations/step.ts';

/** What operations remember that make a company out of another one, or of a file. */
export type TargetMemory = {
  laysOut?: boolean;
  registers?: boolean;
  /** What the removal of the target knows, when it is undone. */
  removal?: Record<string, unknown>;
};
/** What such operations are made of. */
export type TargetParts = InstanceParts & {
  secrets: InstanceParts['secrets'] & { names(instance: string): Promise<string[]> };
  validate(name: string): Promise<ValidationReport>;
  /** For what lies on disk while an operation runs. */
  workFolder: string;
};
type Context<Memory> = StepContext<unknown, Memory>;

const COORDINATOR = { as: 'coordinator' } as const;

/** The row of a company that is paused until all of it is there. `data` goes into the event. Throws INSTANCE_EXISTS. */
export async function registerTarget(
  parts: InstanceParts,
  { instance, memory, keep, by, operationId }: Context<TargetMemory>,
  row: Omit<NewRow, 'name' | 'folder'>,
  from: Record<string, string>,
): Promise<void> {
  const { tier, strategy, template, budgetUsd } = row;
  const isThere = (await findInstance(parts.store, COORDINATOR, instance)) !== null;
  if (isThere && !memory.registers) throw instanceExists(instance);
  if (!isThere) {
    await keep({ registers: true });
    const data = { name: instance, tier, strategy, template, budget_usd: budgetUsd, ...from, operation: operationId };
    const statements = [
      ...insertInstance({ name: instance, tier, strategy, template, budgetUsd, folder: null }),
      setState(instance, ['active'], 'paused'),
    ];
    await parts
      .append(SYSTEM_INSTANCE, [{ type: 'instance.created', by, data }], statements)
      .catch(async (error: unknown) => {
        // Should the answer be lost and the row be there, it is gone on with.
        if ((await findInstance(parts.store, COORDINATOR, instance)) !== null) return;
        await keep({ registers: false });
        throw error;
      });
  }
  await parts.directory.changed(instance);
  await parts.flow.found(instance);
}

/** One step of initializing a company, as a step of making it. */
export async function runInitStep<Memory extends object>(
  parts: TargetParts,
  name: string,
  context: Context<Memory>,
): Promise<Partial<Memory> | void> {
  const step = initInstance(parts).steps.find((one) => one.name === name)!;
  return (await step.run(context as never)) as Partial<Memory> | void;
}

/** The company begins to work. */
export async function activateTarget(
  parts: InstanceParts,
  { instance, by, operationId }: Context<object>,
  why: string,
): Promise<void> {
  if ((await findInstance(parts.store, COORDINATOR, instance))?.state !== 'paused') return;
  const event = { type: 'instance.resumed', by, why, data: { operation: operationId } };
  await parts.append(instance, [event], [setState(instance, ['paused'], 'active')]);
  await parts.directory.changed(instance);
}

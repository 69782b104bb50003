import { ColmeiaError } from '../../../platform/errors.ts';
import type { Secret } from '../../../platform/secret.ts';
import { noInstance } from '../../../trust/identity/may.ts';
import { folderOf, layOutFiles, readFiles } from '../company-files.ts';
import { placeOf } from '../company-place.ts';
import type { FolderReading } from '../folder/read-folder.ts';
import { movePlainSecrets } from '../folder/move-secrets.ts';
import { writeConfigValue } from '../folder/write-config.ts';
import type { InstanceParts } from '../instance-parts.ts';
import { findInstance, recordResources, setInitialized, type KeptInstance } from '../instance-store.ts';
import type { ResourceView, ValidationReport } from '../instance-views.ts';
import type { OperationDefinition, Step, StepContext } from '../operations/step.ts';
import type { ProjectAccount } from '../outside-accounts.ts';

type Memory = {
  /** Integrations that are off, and why. */
  off?: string[];
  migrations?: number;
  seeds?: string[];
  made?: ResourceView[];
  health?: string;
};
type Context = StepContext<object, Memory>;
type InitStep = Step<object, Memory>;
type InitParts = InstanceParts & { validate: (name: string) => Promise<ValidationReport> };
const COORDINATOR = { as: 'coordinator' } as const;

/** Makes what the files of a company ask for; each step leaves alone what is there. */
export function initInstance(parts: InitParts): OperationDefinition<object, Memory> {
  return {
    result: ({ off = [], migrations = 0, seeds = [], made = [], health = 'unknown' }) => ({
      off,
      migrations,
      seeds,
      made,
      health,
    }),
    steps: [
      filesStep(parts),
      secretsStep(parts),
      supabaseStep(parts),
      databaseStep(parts),
      migrationsStep(parts),
      seedsStep(parts),
      accountStep(parts, 'jira'),
      accountStep(parts, 'confluence'),
      validationStep(parts),
    ],
  };
}

async function companyOf(
  parts: InstanceParts,
  name: string,
): Promise<{ kept: KeptInstance; folder: FolderReading | null }> {
  const kept = await findInstance(parts.store, COORDINATOR, name);
  if (kept === null) throw noInstance(name);
  return { kept, folder: await readFiles(parts, kept) };
}

const filesStep = (parts: InitParts): InitStep => ({
  name: 'files',
  async run({ instance, progress }) {
    const { kept } = await companyOf(parts, instance);
    await layOutFiles(parts, kept, 'complete');
    const folder = await readFiles(parts, kept);
    if (folder === null) return progress('companies have no files here');
    const faults = folder.faults.filter(({ severity }) => severity === 'error');
    if (faults.length > 0)
      throw new ColmeiaError('INSTANCE_INVALID', `${faults[0].place}: ${faults[0].message}`, {
        faults: faults.map(({ place, message }) => ({ path: place, message })),
      });
    progress(folder.folder);
  },
});

const secretsStep = (parts: InitParts): InitStep => ({
  name: 'secrets',
  async run({ instance, by, progress }) {
    const { kept } = await companyOf(parts, instance);
    const folder = folderOf(parts, kept);
    const keep = async (name: string, value: Secret): Promise<void> =>
      void (await parts.secrets.put(instance, name, value, by));
    const stored = folder === null ? [] : await movePlainSecrets(folder, keep);
    progress(stored.length === 0 ? 'none stand as plain text' : `stored ${stored.join(', ')}`);
  },
});

const supabaseStep = (parts: InitParts): InitStep => ({
  name: 'supabase',
  async run({ instance, by, memory, progress, signal }) {
    const { kept, folder } = await companyOf(parts, instance);
    const { supabase } = await parts.accounts(kept, folder);
    if (typeof supabase === 'string') return { off: isOff(memory, progress, 'supabase', supabase) };
    const intend = (resource: ResourceView): Promise<void> => recordResources(parts.store, instance, [resource]);
    const made = await supabase.ensure({ kept, folder: folder!, by, intend, progress, signal });
    await parts.secrets.put(instance, 'database_url', made.databaseUrl, by);
    for (const [name, value] of Object.entries(made.config))
      await writeConfigValue(folder!.folder, 'supabase.config.json', [name], value);
    return { made: [...(memory.made ?? []), made.resource] };
  },
});

const databaseStep = (parts: InitParts): InitStep => ({
  name: 'database',
  async run({ instance, memory, progress }) {
    const { kept, folder } = await companyOf(parts, instance);
    const place = await placeOf(parts, kept, { folder });
    await recordResources(parts.store, instance, [parts.databases.intent(place)]);
    const resources = await parts.databases.provision(place);
    await recordResources(parts.store, instance, resources);
    progress(resources.map(({ kind, id }) => `${kind} ${id}`).join(', '));
    return { made: [...(memory.made ?? []), ...resources] };
  },
});

const migrationsStep = (parts: InitParts): InitStep => ({
  name: 'migrations',
  async run({ instance, memory, progress }) {
    const { kept, folder } = await companyOf(parts, instance);
    const applied = await parts.databases.migrate(await placeOf(parts, kept, { folder }), folder?.migrations ?? []);
    progress(`${applied} applied`);
    return { migrations: (memory.migrations ?? 0) + applied };
  },
});

const seedsStep = (parts: InitParts): InitStep => ({
  name: 'seeds',
  async run({ instance, memory, progress }) {
    const { kept, folder } = await companyOf(parts, instance);
    const applied = await parts.databases.seed(await placeOf(parts, kept, { folder }), folder?.seeds ?? []);
    progress(applied.length === 0 ? 'none' : applied.join(', '));
    return { seeds: [...(memory.seeds ?? []), ...applied] };
  },
});

const accountStep = (parts: InitParts, which: 'jira' | 'confluence'): InitStep => ({
  name: which,
  async run({ instance, memory, progress }: Context) {
    const { kept, folder } = await companyOf(parts, instance);
    const accounts = await parts.accounts(kept, folder);
    const account: ProjectAccount | string = accounts[which];
    if (typeof account === 'string') return { off: isOff(memory, progress, which, account) };
    const key = accounts.keys[which];
    const intent = { kind: which === 'jira' ? 'jira-project' : 'confluence-space', id: key, site: account.site };
    await recordResources(parts.store, instance, [intent]);
    const name = folder?.config?.display_name ?? instance;
    const description = `Company ${instance} of Colmeia`;
    const made = await account.ensure({ key, name, description, instance, named: accounts.keys.named[which] });
    await recordResources(parts.store, instance, [made]);
    const at = which === 'jira' ? ['jira', 'project_key'] : ['confluence', 'space_key'];
    if (folder !== null) await writeConfigValue(folder.folder, 'atlassian.config.json', at, made.id);
    progress(`${made.kind} ${made.id}`);
    return { made: [...(memory.made ?? []), made] };
  },
});

const validationStep = (parts: InitParts): InitStep => ({
  name: 'validation',
  async run({ instance, by, progress }) {
    // First, as the validation calls it a fault that a company is not initialized.
    await parts.append(instance, [{ type: 'instance.initialized', by }], [setInitialized(instance)]);
    const { health, faults } = await parts.validate(instance);
    progress(faults.length === 0 ? health : `${health}: ${faults.map(({ code }) => code).join(', ')}`);
    return { health };
  },
});

function isOff(memory: Memory, progress: Context['progress'], name: string, why: string): string[] {
  progress(why);
  return [...(memory.off ?? []).filter((one) => !one.startsWith(`${name}: `)), `${name}: ${why}`];
}

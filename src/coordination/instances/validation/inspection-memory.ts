import type { Clock, Random } from '../../../platform/clock.ts';
import type { SqlFileView } from '../folder/instance-contexts.ts';
import type { CompanyFault } from '../instance-views.ts';
import type { ValidationCode } from './validation-codes.ts';

export type InspectionMemoryOptions = {
  clock: Clock;
  random: Random;
  /** What the registry has of the last validation, of a former process too; null = there was none. */
  stored: (name: string) => Promise<readonly CompanyFault[] | null>;
  /** How long what was found holds. Default 3,600,000. */
  forMs?: number;
};

type Kept = { key: string; faults: readonly CompanyFault[]; until: number };

const REMEMBERED = 10_000;
const OF_DATABASES: ReadonlySet<string> = new Set<ValidationCode>([
  'MIGRATION_PENDING',
  'MIGRATION_CHANGED',
  'RLS_OFF',
  'RLS_NOT_FORCED',
  'RLS_WITHOUT_POLICY',
  'ROLE_PRIVILEGED',
]);

/**
 * What was found in databases of companies. An embedded one is at rest until somebody uses it, and opening it costs half a second
 * and its memory: a watch over a thousand companies cannot open each every few minutes. So what was found holds for an hour,
 * or until the migrations of the folder change; after a start, each is looked at again at some time within the first hour.
 */
export class InspectionMemory {
  readonly #options: Required<InspectionMemoryOptions>;
  readonly #kept = new Map<string, Kept>();

  constructor(options: InspectionMemoryOptions) {
    this.#options = { forMs: 3_600_000, ...options };
  }

  /** null = it is to be looked at now. */
  async recall(name: string, migrations: readonly SqlFileView[]): Promise<readonly CompanyFault[] | null> {
    const { clock, random, stored, forMs } = this.#options;
    const kept = this.#kept.get(name);
    const key = keyOf(migrations);
    if (kept !== undefined) return kept.key === key && clock.now() < kept.until ? kept.faults : null;
    const faults = await stored(name);
    const isKnown =
      faults !== null && faults.every(({ code }) => code !== 'DATABASE_UNREACHABLE' && code !== 'NOT_INITIALIZED');
    if (!isKnown) return null;
    const found = faults.filter(({ code }) => OF_DATABASES.has(code));
    this.#keep(name, { key, faults: found, until: clock.now() + random() * forMs });
    return found;
  }

  keep(name: string, migrations: readonly SqlFileView[], faults: readonly CompanyFault[]): void {
    const { clock, forMs } = this.#options;
    const isAway = faults.some(({ code }) => code === 'DATABASE_UNREACHABLE');
    this.#keep(name, { key: keyOf(migrations), faults, until: isAway ? 0 : clock.now() + forMs });
  }

  #keep(name: string, kept: Kept): void {
    this.#kept.delete(name);
    if (this.#kept.size >= REMEMBERED) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(name, kept);
  }
}

const keyOf = (migrations: readonly SqlFileView[]): string =>
  migrations.map(({ origin, version, checksum }) => `${origin}/${version} ${checksum}`).join('\n');

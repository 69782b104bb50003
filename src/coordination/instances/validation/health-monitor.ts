import { isDeepStrictEqual } from 'node:util';
import type { Clock, Random } from '../../../platform/clock.ts';
import { Deadlines } from '../../../platform/deadlines.ts';
import { isColmeiaError } from '../../../platform/errors.ts';
import type { CompanyFault, Health, ValidationReport } from '../instance-views.ts';
import type { ValidationCause } from './validate-instance.ts';
import { FolderWatch } from './watch-folders.ts';

/** A company that this process looks after. `folder` absolute; null = it has no files here. */
export type MonitoredCompany = { name: string; folder: string | null; health: Health; faults: readonly CompanyFault[] };

export type HealthMonitorOptions = {
  /** All companies that this process looks after, as the registry has them. */
  companies: () => Promise<readonly MonitoredCompany[]>;
  validate: (name: string, cause: ValidationCause) => Promise<ValidationReport>;
  /** Reports that say something new, or were not saved for an hour. When it throws they are saved later. */
  save: (reports: readonly ValidationReport[]) => Promise<void>;
  /** The health of a company is another one than before. */
  onHealth: (name: string, from: Health, report: ValidationReport) => void | Promise<void>;
  clock: Clock;
  random: Random;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
  /** Between validations of one company. Default 300,000. */
  intervalMs?: number;
  /** Scheduled validations at a time; as many again may run because of changes. Default 4. */
  atOnce?: number;
  /** From a change to the validation that it causes. Default 200. */
  debounceMs?: number;
  /** Between comparisons of folders that cannot be watched. Default 5,000. */
  compareMs?: number;
};

type Kept = { folder: string | null; health: Health; faults: readonly CompanyFault[]; savedAt: number };
type Cause = 'schedule' | 'change';

/** Between two looks at which companies there are. */
const REFRESH_MS = 30_000;
/** The first validations of a process are this far apart, unless that takes longer than an interval. */
const FIRST_APART_MS = 200;
const BATCH_MS = 500;
const SAVE_AGAIN_MS = 5_000;
const SAVED_FOR_MS = 3_600_000;
/** A disk that hangs is the validation's to tell. */
const FOLLOW_MS = 1_000;

/**
 * Validates companies on a schedule and when one of their files has changed, and keeps their health. Validations are spread over
 * the interval, with some jitter. It survives whatever a validation, the registry or a watcher throws.
 */
export class HealthMonitor {
  readonly #options: Required<Omit<HealthMonitorOptions, 'compareMs'>>;
  readonly #watch: FolderWatch;
  readonly #companies = new Map<string, Kept>();
  readonly #due = new Deadlines<string>();
  /** When changed companies are validated, in that order. */
  readonly #changed = new Map<string, number>();
  readonly #running = new Map<string, { cause: Cause; run: Promise<void> }>();
  readonly #unsaved = new Map<string, ValidationReport>();
  #refreshAt = 0;
  #refreshing: Promise<void> | null = null;
  #saveAt = Infinity;
  #saving: Promise<void> = Promise.resolve();
  #telling: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #stopped = true;

  constructor({ compareMs, ...options }: HealthMonitorOptions) {
    this.#options = { intervalMs: 300_000, atOnce: 4, debounceMs: 200, ...options };
    this.#watch = new FolderWatch({
      onChange: (name) => this.soon(name),
      onFallback: (name, error) =>
        options.log('warn', { instance: name, error: String(error) }, 'folder is compared, as it cannot be watched'),
      compareMs,
    });
  }

  start(): void {
    this.#stopped = false;
    this.#step();
  }

  /** Resolves when nothing of it runs any more; what was found is saved and told. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#watch.stop();
    await Promise.all([...this.#running.values()].map(({ run }) => run));
    await this.#refreshing;
    await this.#telling;
    await this.#save();
  }

  /** Validates the company within moments, as after a change; one that is not known yet is looked for. */
  soon(name: string): void {
    if (this.#stopped || this.#changed.has(name)) return;
    if (!this.#companies.has(name)) this.#refreshAt = 0;
    this.#changed.set(name, this.#options.clock.now() + this.#options.debounceMs);
    this.#step();
  }

  /** Validates the company at once, for a caller; what is found is saved when it resolves. Throws what validation throws. */
  async validate(name: string): Promise<ValidationReport> {
    if (!this.#stopped && !this.#companies.has(name)) {
      this.#refresh(this.#options.clock.now());
      await this.#refreshing;
    }
    const report = await this.#options.validate(name, 'asked');
    this.#learn(report);
    await this.#save();
    return report;
  }

  /** Begins whatever is due, and comes back when more is. */
  #step(): void {
    if (this.#stopped) return;
    const now = this.#options.clock.now();
    if (now >= this.#refreshAt && this.#refreshing === null) this.#refresh(now);
    if (now >= this.#saveAt) void this.#save();
    for (const [name, at] of this.#changed) {
      if (at > now || this.#free('change') === 0) break;
      if (this.#running.has(name) || !this.#companies.has(name)) continue;
      this.#begin(name, 'change');
    }
    for (const name of this.#due.take(now, this.#free('schedule'))) {
      if (this.#running.has(name)) this.#plan(name);
      else this.#begin(name, 'schedule');
    }
    this.#sleep(now);
  }

  #sleep(now: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const change = [...this.#changed.values()].find((at) => at > now) ?? Infinity;
    const scheduled = this.#free('schedule') > 0 ? this.#due.next() : Infinity;
    const refresh = this.#refreshing === null ? this.#refreshAt : Infinity;
    const next = Math.min(refresh, this.#saveAt, change, scheduled);
    this.#timer = setTimeout(() => this.#step(), Math.min(Math.max(1, next - now), REFRESH_MS)).unref();
  }

  #free(cause: Cause): number {
    const busy = [...this.#running.values()].filter((one) => one.cause === cause).length;
    return this.#options.atOnce - busy;
  }

  #begin(name: string, cause: Cause): void {
    this.#changed.delete(name); // whatever changed until now is seen
    const run = this.#run(name).finally(() => {
      this.#running.delete(name);
      if (this.#companies.has(name)) this.#plan(name);
      this.#step();
    });
    this.#running.set(name, { cause, run });
  }

  async #run(name: string): Promise<void> {
    const { validate, log } = this.#options;
    try {
      await this.#follow(name);
      const report = await validate(name, 'background');
      if (this.#companies.has(name)) this.#learn(report);
    } catch (error) {
      if (isColmeiaError(error, 'INSTANCE_NOT_FOUND')) this.#forget(name);
      else log('warn', { instance: name, error: String(error) }, 'validation failed; it is tried again');
    }
  }

  async #follow(name: string): Promise<void> {
    const folder = this.#companies.get(name)?.folder ?? null;
    if (folder === null) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, FOLLOW_MS);
    await Promise.race([this.#watch.follow(name, folder), late]).finally(() => clearTimeout(timer));
  }

  #plan(name: string): void {
    const { clock, random, intervalMs } = this.#options;
    this.#due.set(name, clock.now() + intervalMs * (0.9 + 0.2 * random()));
  }

  #learn(report: ValidationReport): void {
    const { clock, log, onHealth } = this.#options;
    const { name, health, faults } = report;
    const kept = this.#companies.get(name);
    if (kept === undefined) return void this.#unsaved.set(name, report); // of another process: what it was is not known
    const before = kept.health;
    const now = clock.now();
    const isNews = health !== before || !isDeepStrictEqual(faults, kept.faults);
    if (isNews || now - kept.savedAt >= SAVED_FOR_MS) {
      this.#unsaved.set(name, report);
      this.#saveAt = Math.min(this.#saveAt, now + BATCH_MS);
      kept.savedAt = now;
    }
    Object.assign(kept, { health, faults });
    if (health === before) return;
    this.#telling = this.#telling
      .then(() => onHealth(name, before, report))
      .catch((error: unknown) =>
        log('error', { instance: name, error: String(error) }, 'change of health was not told'),
      );
  }

  #save(): Promise<void> {
    this.#saveAt = Infinity;
    this.#saving = this.#saving.then(async () => {
      const reports = [...this.#unsaved.values()];
      if (reports.length === 0) return;
      this.#unsaved.clear();
      try {
        await this.#options.save(reports);
      } catch (error) {
        this.#options.log('warn', { error: String(error) }, 'health was not saved; it is tried again');
        for (const report of reports)
          if (!this.#unsaved.has(report.name) && this.#companies.has(report.name))
            this.#unsaved.set(report.name, report);
        this.#saveAt = this.#options.clock.now() + SAVE_AGAIN_MS;
      }
    });
    return this.#saving;
  }

  #refresh(now: number): void {
    this.#refreshAt = Infinity;
    this.#refreshing ??= this.#look(now)
      .catch((error: unknown) => this.#options.log('warn', { error: String(error) }, 'companies could not be listed'))
      .finally(() => {
        this.#refreshing = null;
        this.#refreshAt = Math.min(this.#refreshAt, this.#options.clock.now() + REFRESH_MS);
        this.#step();
      });
  }

  async #look(now: number): Promise<void> {
    const companies = await this.#options.companies();
    const apart = Math.min(FIRST_APART_MS, this.#options.intervalMs / companies.length);
    let added = 0;
    for (const { name, folder, health, faults } of companies) {
      const kept = this.#companies.get(name);
      if (kept !== undefined) kept.folder = folder;
      else {
        this.#companies.set(name, { folder, health, faults, savedAt: now });
        this.#due.set(name, now + apart * added++);
      }
    }
    const there = new Set(companies.map(({ name }) => name));
    for (const name of this.#companies.keys()) if (!there.has(name)) this.#forget(name);
    for (const name of this.#changed.keys()) if (!there.has(name)) this.#changed.delete(name);
  }

  #forget(name: string): void {
    this.#watch.forget(name);
    this.#companies.delete(name);
    this.#due.delete(name);
    this.#changed.delete(name);
  }
}

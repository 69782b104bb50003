import type { CompanyFault, ValidationReport } from '../instance-views.ts';
import { companyFault } from './validation-codes.ts';

/** One thing that is looked at. It finds faults, or says why it is off; it need not catch anything. */
export type Check = { name: string; run: (signal: AbortSignal) => Promise<readonly CompanyFault[] | { off: string }> };
export type CheckedCompany = Pick<ValidationReport, 'faults' | 'checks'>;

export type CheckRunnerOptions = {
  /** For each check. Default 5,000. */
  deadlineMs?: number;
  /** What broke within a check itself, or came after its deadline. */
  onError: (company: string, check: string, error: unknown) => void;
};

/** Faults of one check that are listed; the last one says how many more there are. */
const LISTED = 100;

/**
 * Runs checks side by side, each with a deadline of its own. One that hangs is a fault and holds up no other; as long as it hangs
 * it is not begun again, so that a company with a dead disk or site does not use up the process.
 */
export class CheckRunner {
  readonly #deadlineMs: number;
  readonly #onError: CheckRunnerOptions['onError'];
  readonly #running = new Map<string, Promise<unknown>>();
  /** Those of them that are past their deadline. */
  readonly #hanging = new Set<string>();

  constructor({ deadlineMs = 5_000, onError }: CheckRunnerOptions) {
    this.#deadlineMs = deadlineMs;
    this.#onError = onError;
  }

  async run(company: string, checks: readonly Check[]): Promise<CheckedCompany> {
    const done = await Promise.all(checks.map((check) => this.#runOne(company, check)));
    return { faults: done.flatMap((one) => one.faults), checks: done.map((one) => one.check) };
  }

  async #runOne(company: string, check: Check) {
    const { name } = check;
    const from = performance.now();
    const found = await this.#find(company, check);
    const ms = Math.round((performance.now() - from) * 10) / 10;
    if ('off' in found) return { faults: [], check: { name, state: 'off' as const, ms, detail: found.off } };
    const faults = listed(found, name);
    const state = faults.some((fault) => fault.severity !== 'info') ? ('failed' as const) : ('ok' as const);
    return { faults, check: { name, state, ms } };
  }

  async #find(company: string, check: Check): ReturnType<Check['run']> {
    const key = `${company}/${check.name}`;
    const seconds = this.#deadlineMs / 1_000;
    const late = companyFault('CHECK_TIMEOUT', check.name, `the check did not end within ${seconds} s`);
    if (this.#hanging.has(key)) return [late];
    const { promise: deadline, resolve: end } = Promise.withResolvers<null>();
    const stop = new AbortController();
    const timer = setTimeout(() => end(null), this.#deadlineMs);
    // What another look that is under way sees may be older than the question.
    for (let other = this.#running.get(key); other !== undefined; other = this.#running.get(key))
      if ((await Promise.race([other, deadline])) === null) return [late];
    const running = Promise.resolve()
      .then(() => check.run(stop.signal))
      .catch((error: unknown) => {
        this.#onError(company, check.name, error);
        return [companyFault('CHECK_FAILED', check.name, `the check broke: ${codeOf(error)}`)];
      })
      .finally(() => {
        this.#running.delete(key);
        this.#hanging.delete(key);
        clearTimeout(timer);
      });
    this.#running.set(key, running);
    const found = await Promise.race([running, deadline]);
    if (found !== null) return found;
    if (this.#running.get(key) === running) this.#hanging.add(key);
    stop.abort();
    return [late];
  }
}

/** The text of an unknown error may hold anything; its code does not. */
function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'unknown';
}

function listed(faults: readonly CompanyFault[], check: string): readonly CompanyFault[] {
  if (faults.length <= LISTED) return faults;
  const last = faults[LISTED - 1]!;
  const more = faults.length - LISTED + 1;
  return [
    ...faults.slice(0, LISTED - 1),
    { ...last, place: check, message: `there are ${more} more faults of this check` },
  ];
}

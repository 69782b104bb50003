/** Where time comes from, so that tests and simulations can pass their own. */
export type Clock = {
  /** Epoch milliseconds. */
  now(): number;
};

export const systemClock: Clock = { now: () => Date.now() };

/** Uniform in [0, 1), passed in wherever chance is used. */
export type Random = () => number;

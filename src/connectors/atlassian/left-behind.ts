import type { LeftBehind } from '../../coordination/instances/outside-accounts.ts';

const MOST_EXAMPLES = 3;
const MOST_REASONS = 100;
const FURTHER = 'for further reasons';

/** Adds an item to what was left behind for a reason. */
export function leaveBehind(left: readonly LeftBehind[], what: string, item: string): LeftBehind[] {
  const isFull = left.length >= MOST_REASONS && !left.some((one) => one.what === what);
  const reason = isFull ? FURTHER : what;
  const known = left.find((one) => one.what === reason);
  if (known === undefined) return [...left, { what: reason, items: 1, examples: [item] }];
  const examples = known.examples.length < MOST_EXAMPLES ? [...known.examples, item] : known.examples;
  return left.map((one) => (one === known ? { what, items: known.items + 1, examples } : one));
}

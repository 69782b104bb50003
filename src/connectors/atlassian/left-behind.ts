import type { LeftBehind } from '../../coordination/instances/outside-accounts.ts';

const MOST_EXAMPLES = 3;

/** Adds an item to what was left behind for a reason. */
export function leaveBehind(left: readonly LeftBehind[], what: string, item: string): LeftBehind[] {
  const known = left.find((one) => one.what === what);
  if (known === undefined) return [...left, { what, items: 1, examples: [item] }];
  const examples = known.examples.length < MOST_EXAMPLES ? [...known.examples, item] : known.examples;
  return left.map((one) => (one === known ? { what, items: known.items + 1, examples } : one));
}

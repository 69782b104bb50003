import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { TicketRules } from './flow-state.ts';
import { walk } from './plan-walk.testing.ts';

const moves = fc.array(
  fc.record({ what: fc.nat(99), pick: fc.nat(1_000), chance: fc.nat(1_000), wait: fc.nat(4_000) }),
  { maxLength: 150 },
);

const rules = (size: number): fc.Arbitrary<TicketRules[]> =>
  fc
    .array(
      fc.record({
        deps: fc.array(fc.nat(1_000), { maxLength: 3 }),
        gated: fc.nat(9),
        compensable: fc.boolean(),
        copyable: fc.boolean(),
        maxRetries: fc.nat(2),
        timeoutMs: fc.integer({ min: 500, max: 5_000 }),
      }),
      { maxLength: size },
    )
    .map((tasks) =>
      tasks.map(({ deps, gated, ...task }, n) => ({
        ...task,
        deps: n === 0 ? [] : [...new Set(deps.map((dep) => dep % n))],
        gated: gated === 0,
        undoes: null,
      })),
    );

const plans = fc.record({
  rules: rules(60),
  gate: fc.nat(4).map((n) => n === 0),
  validUntil: fc.option(fc.integer({ min: 1, max: 30_000 })),
});

/** Copies, leases and the ends of attempts, and seldom anything else. */
const copies = fc.array(
  fc.record({
    what: fc.oneof({ arbitrary: fc.constantFrom(0, 0, 1, 9, 10, 57, 58, 66, 66, 75), weight: 9 }, fc.nat(99)),
    pick: fc.nat(1_000),
    chance: fc.nat(1_000),
    wait: fc.nat(4_000),
  }),
  { minLength: 20, maxLength: 60 },
);

describe('decide(), whatever happens in whatever order', () => {
  it('keeps every rule at every step, and every plan ends once agents answer', () => {
    fc.assert(
      fc.property(plans, moves, rules(12), (plan, steps, revision) => walk(plan, steps, revision).finish()),
      { numRuns: 1_500 },
    );
  });

  it('keeps every rule in small plans, where everything meets everything', () => {
    const small = fc.record({
      rules: rules(4),
      gate: fc.boolean(),
      validUntil: fc.option(fc.integer({ min: 1, max: 3_000 })),
    });
    fc.assert(
      fc.property(small, moves, rules(4), (plan, steps, revision) => walk(plan, steps, revision).finish()),
      { numRuns: 3_000 },
    );
  });

  it('keeps every rule where most tickets are copied', () => {
    const plan = fc.record({ rules: rules(4), gate: fc.constant(false), validUntil: fc.constant(null) });
    fc.assert(
      fc.property(plan, copies, rules(4), (one, steps, revision) => {
        const tasks = one.rules.map((rule) => ({ ...rule, gated: false, copyable: true, maxRetries: 2 }));
        walk({ ...one, rules: tasks }, steps, revision).finish();
      }),
      { numRuns: 600 },
    );
  });
});

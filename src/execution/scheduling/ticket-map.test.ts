import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TicketMap } from './ticket-map.ts';

describe('a map by ticket', () => {
  it('does as a map by a string of both would', () => {
    const plan = fc.constantFrom(0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER);
    const n = fc.constantFrom(0, 1, 63, 64, 65, 9_999);
    const step = fc.record({ plan, n, value: fc.option(fc.nat(), { nil: null }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const map = new TicketMap<number>();
        const model = new Map<string, number>();
        for (const { plan: of, n: number, value } of steps) {
          const key = `${of}/${number}`;
          assert.equal(map.get(of, number), model.get(key));
          if (value === null) map.delete(of, number);
          else map.set(of, number, value);
          if (value === null) model.delete(key);
          else model.set(key, value);
          assert.equal(map.get(of, number), model.get(key));
          assert.equal(map.size, model.size);
          assert.deepEqual([...map.values()].sort(), [...model.values()].sort());
        }
      }),
    );
  });
});

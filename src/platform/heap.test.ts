import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Heap, type HeapItem } from './heap.ts';

type Item = HeapItem & { value: number };
const item = (value: number): Item => ({ heapIndex: -1, value });
const heap = (): Heap<Item> => new Heap<Item>((a, b) => a.value < b.value);

describe('Heap', () => {
  it('is empty at first, and says so', () => {
    assert.equal(heap().peek(), undefined);
    assert.equal(heap().pop(), undefined);
    assert.equal(heap().size, 0);
  });

  it('ignores the removal of what is in no heap', () => {
    const some = heap();
    some.push(item(1));
    some.remove(item(1));
    assert.equal(some.size, 1);
  });

  it('always has the smallest on top, whatever is pushed, popped, moved and removed', () => {
    const step = fc.record({
      what: fc.constantFrom('push', 'push', 'pop', 'remove', 'move'),
      value: fc.integer({ min: -50, max: 50 }),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const some = heap();
        const model = new Set<Item>();
        for (const { what, value, pick } of steps) {
          const one = [...model][pick % Math.max(1, model.size)];
          if (what === 'push') {
            const added = item(value);
            model.add(added);
            some.push(added);
          } else if (what === 'pop') {
            const top = some.pop();
            if (top) assert.ok(model.delete(top) && top.heapIndex === -1);
          } else if (one && what === 'remove') {
            some.remove(one);
            model.delete(one);
            assert.equal(one.heapIndex, -1);
          } else if (one) {
            one.value = value;
            some.moved(one);
          }
          assert.equal(some.size, model.size);
          assert.equal(
            some.peek()?.value,
            model.size === 0 ? undefined : Math.min(...[...model].map((each) => each.value)),
          );
        }
        const small = [...model].filter((each) => each.value <= 5);
        const found: typeof small = [];
        assert.equal(
          some.upTo((each) => each.value <= 5, 8, found),
          small.length <= 8,
        );
        if (small.length <= 8) assert.deepEqual(new Set(found), new Set(small));
        const rest: number[] = [];
        for (let top = some.pop(); top !== undefined; top = some.pop()) rest.push(top.value);
        assert.deepEqual(
          rest,
          [...model].map((each) => each.value).sort((a, b) => a - b),
        );
      }),
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readyTicket } from '../sample-ticket.testing.ts';
import { gauss, seededRandom } from '../simulation/seeded-random.ts';
import { DurationModel } from './duration-model.ts';
import type { TicketSpec } from '../../plans/ticket.ts';

const DAY = 86_400_000;
const ticket = (type: string, more: Partial<TicketSpec> = {}): TicketSpec => ({
  ...readyTicket({ customType: type }).spec,
  ...more,
});
const estimated = (type: string, ms: number, source?: string): TicketSpec =>
  ticket(type, {
    estimated_duration_ms: ms,
    metadata: { task_type: type, ...(source === undefined ? {} : { estimate_source: source }) },
  });

/** Feeds `n` durations; the clock goes on a second for each. */
function feed(model: DurationModel, n: number, next: (i: number) => [TicketSpec, number], instance = 'acme'): void {
  for (let i = 0; i < n; i++) {
    const [spec, durationMs] = next(i);
    model.observe(spec, instance, DAY + i * 1_000, durationMs);
  }
}

const within = (value: number, low: number, high: number): void =>
  assert.ok(value >= low && value <= high, `${value} is not from ${low} to ${high}`);

describe('DurationModel', () => {
  it('takes a minute, or the estimate, for what it has never seen', () => {
    const model = new DurationModel();
    within(model.expect(ticket('a'), 'acme'), 59_999, 60_001);
    within(model.expect(estimated('a', 5_000), 'acme'), 5_000, 15_000);
  });

  it('expects the mean, and its median lies below it where durations are skewed', () => {
    const random = seededRandom(1);
    const model = new DurationModel();
    feed(model, 2_000, () => [ticket('a'), 1_000 * Math.exp(0.8 * gauss(random))]);
    within(model.expect(ticket('a'), 'acme'), 1_100, 1_700); // the mean is 1,377
    within(model.upper(ticket('a'), 'acme', 0.5), 800, 1_200);
  });

  it('keeps its bounds as often as they say, even of durations with two humps', () => {
    const random = seededRandom(2);
    const model = new DurationModel();
    const kept = new Map([0.5, 0.9, 0.95].map((p) => [p, 0]));
    const next = (): number => (random() < 0.8 ? 1_000 : 20_000) * Math.exp(0.2 * gauss(random));
    feed(model, 500, () => [ticket('a'), next()]);
    for (let i = 0; i < 4_000; i++) {
      const durationMs = next();
      for (const [p, n] of kept) kept.set(p, n + Number(durationMs <= model.upper(ticket('a'), 'acme', p)));
      model.observe(ticket('a'), 'acme', DAY + 600_000 + i, durationMs);
    }
    for (const [p, n] of kept) within(n / 4_000, p - 0.02, p + 0.02);
  });

  it('learns how wrong a source of estimates is, and corrects it for types that are new', () => {
    const model = new DurationModel();
    feed(model, 40, (i) => [estimated(`t${i}`, 1_000 * (i + 1), 'optimist'), 3_000 * (i + 1)]);
    within(model.expect(estimated('new', 10_000, 'optimist'), 'acme'), 24_000, 36_000);
    within(model.expect(estimated('new', 10_000, 'other'), 'acme'), 9_000, 36_000);
  });

  it('believes results rather than an estimate that is wrong for the type', () => {
    const model = new DurationModel();
    feed(model, 30, () => [estimated('a', 100_000), 1_000]);
    within(model.expect(estimated('a', 100_000), 'acme'), 900, 1_300);
  });

  it('uses the type in other companies for a company that never had it', () => {
    const model = new DurationModel();
    feed(model, 50, () => [ticket('a'), 500], 'first');
    within(model.expect(ticket('a'), 'second'), 250, 1_000);
  });

  it('keeps the durations of companies apart once they are known', () => {
    const model = new DurationModel();
    feed(model, 20, () => [ticket('a'), 100], 'first');
    feed(model, 20, () => [ticket('a'), 10_000], 'second');
    within(model.expect(ticket('a'), 'first'), 80, 130);
    within(model.expect(ticket('a'), 'second'), 8_000, 13_000);
  });

  it('finds the parameters that matter: a size as a slope, a name as buckets, noise not at all', () => {
    const random = seededRandom(3);
    const model = new DurationModel();
    const slow = { small: 1, large: 8 };
    const draw = (): [TicketSpec, number] => {
      const size = Math.exp(5 + 2 * gauss(random));
      const name = random() < 0.5 ? 'small' : 'large';
      const spec = ticket('llm', {
        parameters: { id: String(random()), size: size.toFixed(0), model: name, note: 'hello' },
      });
      return [spec, 20 * Number(spec.parameters['size']) ** 0.8 * slow[name] * Math.exp(0.1 * gauss(random))];
    };
    feed(model, 400, draw);
    const errors: number[] = [];
    feed(model, 400, () => {
      const [spec, durationMs] = draw();
      errors.push(Math.abs(Math.log(model.upper(spec, 'acme', 0.5) / durationMs)));
      return [spec, durationMs];
    });
    within(errors.sort((a, b) => a - b)[200]!, 0, 0.15); // a tenth is noise; the type alone is wrong by more than 1
  });

  it('tells required capabilities apart where they matter', () => {
    const model = new DurationModel();
    const gpu = ticket('a', { required_capabilities: ['gpu'] });
    const cpu = ticket('a', { required_capabilities: ['cpu'] });
    feed(model, 60, (i) => (i % 2 === 0 ? [gpu, 100] : [cpu, 5_000]));
    within(model.expect(gpu, 'acme'), 80, 140);
    within(model.expect(cpu, 'acme'), 4_000, 7_000);
  });

  it('follows a change of the durations', () => {
    const model = new DurationModel();
    feed(model, 500, () => [ticket('a'), 1_000]);
    feed(model, 500, () => [ticket('a'), 4_000]);
    within(model.upper(ticket('a'), 'acme', 0.5), 2_500, 5_000);
  });

  it('takes a timeout for "at least this long"', () => {
    const random = seededRandom(4);
    const model = new DurationModel();
    for (let i = 0; i < 600; i++) {
      const durationMs = 10_000 * Math.exp(0.5 * gauss(random));
      model.observe(ticket('a'), 'acme', DAY + i, Math.min(12_000, durationMs), durationMs > 12_000);
    }
    within(model.upper(ticket('a'), 'acme', 0.5), 8_000, 13_000);
    within(model.expect(ticket('a'), 'acme'), 9_000, 15_000); // the mean is 11,331
  });

  it('doubts a type after an incident: its bounds widen', () => {
    const model = new DurationModel();
    feed(model, 100, () => [ticket('a'), 1_000]);
    const before = model.upper(ticket('a'), 'acme', 0.95);
    model.doubt('a', 'acme');
    assert.ok(model.upper(ticket('a'), 'acme', 0.95) > before * 1.05);
  });

  it('is the same after a restart from its snapshot, through JSON', () => {
    const random = seededRandom(5);
    const model = new DurationModel();
    const draw = (): [TicketSpec, number] => {
      const size = 1 + random() * 1_000;
      return [ticket(`t${Math.floor(random() * 5)}`, { parameters: { size: String(size) } }), size * 10];
    };
    feed(model, 300, draw);
    const again = new DurationModel(undefined, JSON.parse(JSON.stringify(model.snapshot())));
    for (let i = 0; i < 20; i++) {
      const [spec] = draw();
      assert.equal(again.expect(spec, 'acme'), model.expect(spec, 'acme'));
      assert.equal(again.upper(spec, 'acme', 0.9), model.upper(spec, 'acme', 0.9));
    }
    assert.ok(new DurationModel(undefined, {}).expect(ticket('t'), 'acme') > 0);
  });

  it('forgets the types that were quiet longest, so that its size is bounded', () => {
    const model = new DurationModel();
    feed(model, 5_000, (i) => [ticket(`t${i}`), 100]);
    const { models, types, bounds } = model.snapshot();
    assert.deepEqual([models.length, types.length, bounds.keys.length], [2_000, 2_000, 4_096]);
  });

  it('gives ordered, finite, positive times whatever it is fed', () => {
    const result = fc.record({
      type: fc.constantFrom('a', 'b'),
      durationMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e12, noNaN: true })),
      estimateMs: fc.option(fc.integer({ min: 0, max: 2 ** 31 })),
      parameters: fc.dictionary(
        fc.constantFrom('x', 'y', 'constructor'),
        fc.oneof(fc.string(), fc.constantFrom('1', '-1', '1e999', '0')),
      ),
      censored: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(result, { maxLength: 60 }), (results) => {
        const model = new DurationModel();
        for (const [i, { type, durationMs, estimateMs, parameters, censored }] of results.entries()) {
          const spec = ticket(type, { estimated_duration_ms: estimateMs, parameters });
          model.observe(spec, 'acme', i * 10_000, durationMs, censored);
          const [median, high, highest] = [0.5, 0.9, 0.95].map((p) => model.upper(spec, 'acme', p)) as [
            number,
            number,
            number,
          ];
          for (const value of [median, high, highest, model.expect(spec, 'acme')])
            assert.ok(Number.isFinite(value) && value > 0, String(value));
          assert.ok(median <= high && high <= highest);
        }
      }),
      { numRuns: 100 },
    );
  });
});

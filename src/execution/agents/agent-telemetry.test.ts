import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Fault } from '../../platform/errors.ts';
import { keepTelemetry, parseTelemetry, telemetrySamples, type Telemetry } from './agent-telemetry.ts';

describe('telemetry of an agent', () => {
  it('is numbers by name; every fault is named', () => {
    const faults: Fault[] = [];
    const given = { queue: 1, cpu: 1.5, memory: NaN, errors: -1, load: '3', '': 1, own_value: -7.5 };
    parseTelemetry(given, faults);
    assert.deepEqual(
      faults.map(({ path, message }) => `${path} ${message}`),
      [
        'telemetry.cpu must be a share from 0 to 1',
        'telemetry.memory must be a number',
        'telemetry.errors must not be negative',
        'telemetry.load must be a number',
        'telemetry. is no name: 1 to 64 letters, digits or . _ -',
      ],
    );
    for (const wrong of [null, 5, 'x', [], Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`n${n}`, n]))]) {
      const told: Fault[] = [];
      parseTelemetry(wrong, told);
      assert.equal(told.length, 1, JSON.stringify(wrong));
    }
    const none: Fault[] = [];
    assert.deepEqual(parseTelemetry({ cpu: 0.25, own_value: -7.5 }, none), { cpu: 0.25, own_value: -7.5 });
    assert.deepEqual(none, []);
  });

  it('keeps the last values, and of the known ones a short history with at most a sample in ten seconds', () => {
    let telemetry: Telemetry | null = null;
    const start = 1_700_000_000_000;
    for (let n = 0; n < 100; n++) telemetry = keepTelemetry(telemetry, { queue: n, own_value: n }, start + n * 5_000);
    assert.deepEqual([telemetry!.at, telemetry!.values], [start + 495_000, { queue: 99, own_value: 99 }]);
    const samples = telemetrySamples(telemetry!);
    assert.equal(samples.length, 30);
    assert.deepEqual(samples[0], { at: start + 200_000, queue: 40, cpu: null, memory: null, errors: null });
    assert.deepEqual(
      samples.map(({ queue }) => queue),
      Array.from({ length: 30 }, (_, n) => 40 + 2 * n),
    );
  });
});

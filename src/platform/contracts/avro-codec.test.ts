import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import avsc from 'avsc';
import fc from 'fast-check';
import { isColmeiaError } from '../errors.ts';
import { arbitraryRecord, RECORD_NAMES } from './arbitrary-record.testing.ts';
import { decodeAvro, encodeAvro, schemaIdOf } from './avro-codec.ts';
import { RECORDS, type RecordName, type Records } from './generated/records.ts';

const FILES: Record<RecordName, string> = {
  CognitivePlan: 'cognitive-plan',
  ConsolidatedDecision: 'consolidated-decision',
  ExecutionResult: 'execution-result',
  ExecutionTicket: 'execution-ticket',
  FlowCTelemetryEvent: 'flow-c-telemetry-event',
  OrchestrationIncident: 'orchestration-incident',
};

/** An independent implementation of Avro, on the schema file itself. */
function oracle(name: RecordName): avsc.Type {
  const file = join(import.meta.dirname, '../../../schemas', `${FILES[name]}.avsc`);
  return avsc.Type.forSchema(JSON.parse(readFileSync(file, 'utf8')));
}

/** A copy with every number within 2^52: avsc writes longs beyond it with the wrong sign. */
function nearZero(value: unknown): unknown {
  if (typeof value === 'number') return Math.abs(value) > 2 ** 52 ? Math.sign(value) * 2 ** 52 : value;
  if (Array.isArray(value)) return value.map(nearZero);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, nearZero(field)]));
}

/** A record as avsc wants it: it wraps the values of a union with two number types. */
function forOracle(record: object): Record<string, unknown> {
  if (!('event_type' in record)) return { ...record };
  const { metadata } = record as Records['FlowCTelemetryEvent'];
  const wrapped = Object.entries(metadata).map(([key, value]) => {
    const branch = typeof value !== 'number' ? typeof value : value === (value | 0) ? 'int' : 'long';
    return [key, value === null ? null : { [branch]: value }];
  });
  return { ...record, metadata: Object.fromEntries(wrapped) };
}

function sample<Name extends RecordName>(name: Name, count = 1): Records[Name][] {
  return fc.sample(arbitraryRecord(name), { numRuns: count, seed: 7 });
}

function refused(run: () => unknown, message: RegExp): void {
  assert.throws(run, (error) => isColmeiaError(error, 'INVALID_REQUEST') && message.test(error.message));
}

for (const name of RECORD_NAMES) {
  test(`a ${name} comes back from Avro as it went, and avsc writes the same bytes`, () => {
    const type = oracle(name);
    fc.assert(
      fc.property(arbitraryRecord(name), (record) => {
        const bytes = encodeAvro(name, record);
        const near = nearZero(record) as typeof record;
        assert.deepEqual(encodeAvro(name, near), type.toBuffer(forOracle(near)));
        assert.deepEqual(decodeAvro(name, bytes, { framing: 'plain' }), { record, schemaId: null });
      }),
    );
  });

  test(`a ${name} with a Confluent header comes back with its schema id`, () => {
    fc.assert(
      fc.property(arbitraryRecord(name), fc.integer({ min: 1, max: 2 ** 32 - 1 }), (record, schemaId) => {
        const bytes = encodeAvro(name, record, schemaId);
        assert.deepEqual([bytes[0], schemaIdOf(bytes)], [0, schemaId]);
        assert.deepEqual(decodeAvro(name, bytes), { record, schemaId });
        assert.deepEqual(decodeAvro(name, bytes, { framing: 'confluent' }), { record, schemaId });
      }),
    );
  });

  test(`a plain ${name} that begins with a byte 0 is not taken for one with a header`, () => {
    fc.assert(
      fc.property(arbitraryRecord(name), (record) => {
        const first = Object.keys(record)[0]!;
        const zero = { ...record, [first]: 'event_type' in record ? 'FLOW_C_STARTED' : '', ...epoch(record) };
        const bytes = encodeAvro(name, zero);
        assert.equal(bytes[0], 0);
        assert.deepEqual(decodeAvro(name, bytes), { record: zero, schemaId: null });
      }),
      { seed: 1 }, // records of almost nothing but empty texts can be read both ways
    );
  });

  test(`mutated bytes of a ${name} give a record or INVALID_REQUEST, and soon`, () => {
    fc.assert(
      fc.property(
        arbitraryRecord(name),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }),
        (record, edits) => {
          const bytes = encodeAvro(name, record);
          for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
          onlyInvalidRequest(() => decodeAvro(name, bytes));
          onlyInvalidRequest(() => decodeAvro(name, bytes.subarray(0, edits[0]![0] % bytes.length)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test(`random bytes are no ${name}`, () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => onlyInvalidRequest(() => decodeAvro(name, bytes))));
  });
}

/** A time of this century for an event, whose plain bytes could otherwise truly be read both ways. */
function epoch(record: object): object {
  return 'event_type' in record ? { timestamp: 1_760_000_000_000 } : {};
}

function onlyInvalidRequest(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!isColmeiaError(error, 'INVALID_REQUEST')) throw error;
  }
}

test('the values at the edges of long and double are refused in Avro as they are in JSON', () => {
  const [ticket] = sample('ExecutionTicket');
  const [plan] = sample('CognitivePlan');
  for (const created_at of [2 ** 53, 2 ** 53 - 1, 1.5, Infinity, Number.NaN]) {
    refused(() => encodeAvro('ExecutionTicket', { ...ticket!, created_at }), /breaks its contract/);
  }
  refused(() => encodeAvro('CognitivePlan', { ...plan!, risk_score: Infinity }), /breaks its contract/);
  for (const value of [2 ** 53 - 2, -(2 ** 53 - 2)]) {
    const bytes = encodeAvro('ExecutionTicket', { ...ticket!, created_at: value });
    assert.equal(decodeAvro('ExecutionTicket', bytes).record.created_at, value);
  }
});

test('a long has the zigzag bytes of the Avro specification up to both edges', () => {
  const [result] = sample('ExecutionResult');
  const record = { ...result!, actual_duration_ms: null, schema_version: 1 };
  const edge = 2 ** 53 - 2;
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeInteger(), fc.constantFrom(edge, -edge, 2 ** 52, -(2 ** 52))), (timestamp) => {
      fc.pre(Math.abs(timestamp) <= edge);
      let zigzag = BigInt.asUintN(64, (BigInt(timestamp) << 1n) ^ (BigInt(timestamp) >> 63n));
      const expected: number[] = [];
      for (; zigzag > 127n; zigzag >>= 7n) expected.push(Number(zigzag & 127n) | 128);
      expected.push(Number(zigzag));
      const bytes = encodeAvro('ExecutionResult', { ...record, timestamp });
      assert.deepEqual([...bytes.subarray(-1 - expected.length, -1)], expected);
    }),
  );
});

test('an infinity that came in Avro is a fault with its path', () => {
  const plan = { ...sample('CognitivePlan')[0]!, risk_score: Infinity };
  const bytes = oracle('CognitivePlan').toBuffer(plan);
  assert.throws(
    () => decodeAvro('CognitivePlan', bytes),
    (error) =>
      isColmeiaError(error, 'INVALID_REQUEST') &&
      error.faults[0]?.path === 'risk_score' &&
      error.faults[0].message === 'must be a finite number, but is Infinity',
  );
});

test('a list that claims 2^50 items, a negative length and an endless number are refused at once', () => {
  const [incident] = sample('OrchestrationIncident');
  const empty = { ...incident!, incident_id: 'x', workflow_id: '', severity: '', details: [] };
  const bytes = encodeAvro('OrchestrationIncident', empty);
  const at = 2 + 1 + 1 + 1;
  assert.equal(bytes[at], 0);
  const huge = Buffer.concat([bytes.subarray(0, at), Buffer.from('8080808080808004', 'hex'), bytes.subarray(at)]);
  refused(() => decodeAvro('OrchestrationIncident', huge), /more items than there are bytes/);
  refused(() => decodeAvro('OrchestrationIncident', Buffer.from([1])), /end too early/);
  refused(() => decodeAvro('OrchestrationIncident', Buffer.alloc(20, 0xff)), /longer than 64 bits/);
  refused(() => decodeAvro('OrchestrationIncident', Buffer.concat([bytes, Buffer.from([0])])), /1 bytes are left over/);
  refused(() => decodeAvro('OrchestrationIncident', Buffer.alloc(0)), /end too early/);
});

test('the framing can be fixed where it is known', () => {
  const [result] = sample('ExecutionResult');
  refused(() => decodeAvro('ExecutionResult', encodeAvro('ExecutionResult', result!, 7), { framing: 'plain' }), /./);
  const named = { ...result!, ticket_id: 'ticket-1' };
  const plain = encodeAvro('ExecutionResult', named);
  refused(() => decodeAvro('ExecutionResult', plain, { framing: 'confluent' }), /no Confluent header/);
  refused(() => encodeAvro('ExecutionResult', named, -1), /schema id/);
  assert.equal(decodeAvro('ExecutionResult', encodeAvro('ExecutionResult', named, 0)).schemaId, 0);
});

test('blocks with a size in front of them, as other languages write them, are read', () => {
  const [incident] = sample('OrchestrationIncident');
  const record = { ...incident!, incident_id: 'x', workflow_id: '', severity: '', details: ['ab', 'c'] };
  const bytes = encodeAvro('OrchestrationIncident', record);
  const at = 5;
  assert.deepEqual([...bytes.subarray(at, at + 7)], [4, 4, 97, 98, 2, 99, 0]);
  const blocks = Buffer.from([1, 6, 4, 97, 98, 1, 4, 2, 99, 0]);
  const other = Buffer.concat([bytes.subarray(0, at), blocks, bytes.subarray(at + 7)]);
  assert.deepEqual(decodeAvro('OrchestrationIncident', other).record, record);
});

test('a writer schema is resolved by name: more fields, fewer, another order, smaller numbers, named types', () => {
  const [result] = sample('ExecutionResult');
  const ours = RECORDS.ExecutionResult.avro as { fields: { name: string; type: unknown }[] };
  const kept = ours.fields
    .filter((field) => field.name !== 'schema_version' && field.name !== 'error_message')
    .reverse();
  const stamp = { type: 'fixed', name: 'Stamp', size: 2 };
  const writerSchema = {
    ...(RECORDS.ExecutionResult.avro as object),
    fields: [
      { name: 'added', type: { type: 'array', items: ['null', 'bytes', 'float', stamp] } },
      ...kept.map((field) => (field.name === 'timestamp' ? { ...field, type: 'int' } : field)),
      { name: 'last', type: 'neural.hive.execution.Stamp' },
    ],
  };
  const written = {
    ...result!,
    timestamp: 12,
    added: [null, { bytes: Buffer.from('a') }, { float: 1 }],
    last: Buffer.from('zz'),
  };
  const bytes = avsc.Type.forSchema(writerSchema as avsc.Schema, { wrapUnions: true }).toBuffer({
    ...written,
    actual_duration_ms: result!.actual_duration_ms === null ? null : { long: result!.actual_duration_ms },
  });
  assert.deepEqual(decodeAvro('ExecutionResult', bytes, { writerSchema, framing: 'plain' }).record, {
    ...result!,
    timestamp: 12,
    schema_version: 1,
    error_message: null,
  });
});

test('a recursive writer schema cannot end the stack, and one that is no schema is refused', () => {
  const writerSchema = { type: 'record', name: 'A', fields: [{ name: 'a', type: ['null', 'A'] }] };
  refused(() => decodeAvro('ExecutionResult', Buffer.alloc(1_000_000, 2), { writerSchema }), /nested too deeply/);
  for (const wrong of [
    {},
    { type: 'x' },
    { type: 'record' },
    { type: 'enum', name: 'E' },
    { type: 'record', fields: [1] },
  ]) {
    refused(() => decodeAvro('ExecutionResult', Buffer.alloc(3), { writerSchema: wrong }), /the schema/);
  }
  let deep: unknown = 'string';
  for (let i = 0; i < 100_000; i++) deep = { type: 'array', items: deep };
  refused(() => decodeAvro('ExecutionResult', Buffer.alloc(3), { writerSchema: deep as object }), /nested too deeply/);
});

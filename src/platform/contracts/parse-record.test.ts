import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { arbitraryMutation, arbitraryRecord, RECORD_NAMES } from './arbitrary-record.testing.ts';
import { FAULT_LIMIT, findFaults } from './find-faults.ts';
import { RECORDS, type RecordName } from './generated/records.ts';
import type { JsonSchema } from './json-schema.ts';
import { parseRecord } from './parse-record.ts';
import { UnknownFields } from './take-fields.ts';

function smallest(): Record<string, unknown> {
  return {
    plan_id: 'plan-1',
    intent_id: 'intent-1',
    tasks: [
      { task_id: 'a', task_type: 'BUILD', description: 'Build it' },
      { task_id: 'b', task_type: 'TEST', description: 'Test it', dependencies: ['a'] },
    ],
    execution_order: ['a', 'b'],
    risk_score: 0.2,
    risk_band: 'low',
    risk_factors: { size: 0.1 },
    explainability_token: 'token',
    reasoning_summary: 'Because.',
    created_at: 1_760_000_000_000,
    complexity_score: 0.3,
    original_domain: 'TECHNICAL',
    original_priority: 'normal',
    original_security_level: 'internal',
  };
}

/** The faults of a plan, as `path: message`; null when there are none. */
function faultsOf(value: unknown, name: RecordName = 'CognitivePlan'): string[] | null {
  const parsed = parseRecord(name, value);
  return parsed.ok ? null : parsed.faults.map((fault) => `${fault.path}: ${fault.message}`);
}

for (const name of RECORD_NAMES) {
  test(`a ${name} comes back from JSON as it went`, () => {
    fc.assert(
      fc.property(arbitraryRecord(name), (record) => {
        const parsed = parseRecord(name, JSON.parse(JSON.stringify(record)));
        assert.deepEqual(parsed, { ok: true, record, warnings: [] });
      }),
    );
  });

  test(`a mutated ${name} gives a record or faults, is not changed, and all ways of checking agree`, () => {
    const allErrors = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(RECORDS[name].schema);
    fc.assert(
      fc.property(arbitraryRecord(name).chain(arbitraryMutation), (value) => {
        const parsed = parseRecord(name, value);
        const unknown = new UnknownFields();
        const taken = RECORDS[name].take(value, unknown, '', -1);
        const found = findFaults(RECORDS[name].schema, taken, unknown);
        const valid = allErrors(taken);
        assert.equal(parsed.ok, found.count === 0);
        if (unknown.prototypeKeyAt !== null) return;
        const paths = new Set(
          (allErrors.errors ?? []).map((e) => `${e.instancePath}/${e.params.missingProperty ?? ''}`),
        );
        const folded = new Set([...paths].map((path) => path.replace(/\/$/, '')));
        assert.deepEqual([parsed.ok, valid ? 0 : folded.size], [valid, found.count]);
      }),
      { numRuns: 400 },
    );
  });
}

test('left-out optional fields get their defaults, to 30 fields', () => {
  const parsed = parseRecord('CognitivePlan', smallest());
  assert.ok(parsed.ok);
  const { record } = parsed;
  assert.equal(Object.keys(record).length, 30);
  assert.deepEqual([record.version, record.status, record.metadata, record.schema_version], ['1.0.0', 'draft', {}, 1]);
  assert.deepEqual([record.approval_status, record.risk_matrix, record.requires_approval], [null, null, false]);
  assert.deepEqual(record.tasks[0]?.dependencies, []);
  assert.notEqual(record.tasks[0]?.parameters, record.metadata, 'defaults are not shared');
});

test('the caller keeps its value as it was, and shares nothing with the record', () => {
  const value = { ...smallest(), extra: 1 };
  const before = structuredClone(value);
  const parsed = parseRecord('CognitivePlan', value);
  assert.ok(parsed.ok);
  parsed.record.execution_order.push('c');
  parsed.record.risk_factors.size = 9;
  parsed.record.tasks[1]!.dependencies.push('c');
  assert.deepEqual(value, before);
});

test('every fault comes at once, with its path, the allowed values and what was there', () => {
  const value = {
    ...smallest(),
    plan_id: undefined,
    tasks: [{ task_id: 'a', task_type: 'BUILD', description: 'x', dependencies: [7] }, 'b'],
    risk_band: 'huge',
    status: 7,
    risk_factors: { 'a b': 'x', ok: 1 },
    created_at: '2026',
    metadata: [],
    is_destructive: 'no',
  };
  assert.deepEqual(faultsOf(value), [
    'plan_id: is missing and must be a string',
    'tasks[0].dependencies[0]: must be a string, but is 7',
    'tasks[1]: must be an object, but is "b"',
    'risk_band: must be one of low, medium, high, critical, but is "huge"',
    'risk_factors["a b"]: must be a finite number, but is "x"',
    'status: must be one of draft, validated, approved, rejected, but is 7',
    'created_at: must be a whole number from -9007199254740990 to 9007199254740990, but is "2026"',
    'metadata: must be an object, but is a list',
    'is_destructive: must be true or false, but is "no"',
  ]);
});

test('a value that is no object is one fault, about the whole', () => {
  assert.deepEqual(faultsOf([]), [': must be an object, but is a list']);
  assert.deepEqual(faultsOf(null), [': must be an object, but is null']);
  assert.deepEqual(faultsOf(undefined), [': must be an object, but is not there']);
});

test('a missing field names the unknown field that was likely meant by it', () => {
  const { risk_band, ...rest } = smallest();
  const parsed = parseRecord('CognitivePlan', { ...rest, riskband: risk_band });
  assert.ok(!parsed.ok);
  assert.deepEqual(parsed.faults, [
    {
      path: 'risk_band',
      message:
        'is missing and must be one of low, medium, high, critical; ' +
        'there is an unknown field "riskband": did you mean "risk_band"?',
    },
  ]);
  assert.deepEqual(parsed.warnings, ['unknown field "riskband" ignored']);
});

test('the hint looks only at the unknown fields of the same record', () => {
  const tasks = [{ taskId: 'a', task_type: 'BUILD', description: 'x' }];
  assert.deepEqual(faultsOf({ ...smallest(), taskid: 1, tasks }), [
    'tasks[0].task_id: is missing and must be a string; there is an unknown field "taskId": did you mean "task_id"?',
  ]);
});

test('an unknown field is left out and named, with a hint when an optional field was likely meant', () => {
  const tasks = [{ task_id: 'a', task_type: 'BUILD', description: 'x', dependancies: ['z'], colour: 'red' }];
  const parsed = parseRecord('CognitivePlan', { ...smallest(), requires_aproval: true, colour: 'red', tasks });
  assert.ok(parsed.ok);
  assert.deepEqual(
    parsed.warnings,
    [
      'unknown field "tasks[0].dependancies" ignored; did you mean "dependencies"?',
      'unknown field "tasks[0].colour" ignored',
      'unknown field "requires_aproval" ignored; did you mean "requires_approval"?',
      'unknown field "colour" ignored',
    ].sort((a, b) => parsed.warnings.indexOf(a) - parsed.warnings.indexOf(b)),
  );
  assert.ok(!('colour' in parsed.record) && !('colour' in parsed.record.tasks[0]!));
});

test('at most 100 faults and 100 warnings are listed, and the last one says how many are left out', () => {
  const many = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`unknown_${i}`, 1]));
  const parsed = parseRecord('CognitivePlan', { ...smallest(), ...many, execution_order: Array(5_000).fill(1) });
  assert.ok(!parsed.ok);
  assert.equal(parsed.faults.length, FAULT_LIMIT);
  assert.deepEqual(parsed.faults.at(-1), { path: '', message: 'there are 4901 more faults' });
  assert.equal(parsed.warnings.length, 100);
  assert.equal(parsed.warnings.at(-1), '151 more unknown fields ignored');
  assert.equal(faultsOf({ ...smallest(), execution_order: Array(100).fill(1) })?.length, 100);
});

test('millions of faults are counted within bounded memory', () => {
  const before = process.memoryUsage().heapUsed;
  const parsed = parseRecord('CognitivePlan', { ...smallest(), execution_order: Array(4_000_000).fill(1) });
  assert.ok(!parsed.ok && parsed.faults.length === FAULT_LIMIT);
  assert.ok(process.memoryUsage().heapUsed - before < 400_000_000);
});

test('numbers keep to what JSON and Avro can both hold', () => {
  const long = (created_at: unknown) => faultsOf({ ...smallest(), created_at }) === null;
  const int = (schema_version: unknown) => faultsOf({ ...smallest(), schema_version }) === null;
  const double = (risk_score: unknown) => faultsOf({ ...smallest(), risk_score }) === null;
  assert.deepEqual(
    [2 ** 53 - 2, -(2 ** 53 - 2), 0, 2 ** 53 - 1, 2 ** 53, 1.5, Infinity, Number.NaN, '1', 1n].map(long),
    [true, true, true, false, false, false, false, false, false, false],
  );
  assert.deepEqual([2 ** 31 - 1, -(2 ** 31), 2 ** 31, -(2 ** 31) - 1, 0.5].map(int), [true, true, false, false, false]);
  assert.deepEqual([5e-324, -1.5, 1e308, Infinity, -Infinity, Number.NaN].map(double), [
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('the key __proto__ is a fault in a map and an unknown field in a record, and changes no prototype', () => {
  const text = JSON.stringify(smallest());
  const inMap = JSON.parse(text.replace('"size":0.1', '"__proto__":1'));
  assert.deepEqual(faultsOf(inMap), ['risk_factors: must not have the key "__proto__"']);
  const inTask = JSON.parse(text.replace('"task_id":"a"', '"task_id":"a","__proto__":{"polluted":1}'));
  const parsed = parseRecord('CognitivePlan', inTask);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.warnings, ['unknown field "tasks[0].__proto__" ignored']);
  assert.ok(!('polluted' in parsed.record.tasks[0]!) && !('polluted' in {}));
  assert.deepEqual(Object.getPrototypeOf(parsed.record.tasks[0]), Object.prototype);
});

test('absurd depth, length and circles in unknown places cost nothing and break nothing', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const value = { ...smallest(), ['x'.repeat(1_000_000)]: deep, metadata: { deep }, plan_id: deep, intent_id: circle };
  assert.deepEqual(faultsOf(value), [
    'plan_id: must be a string, but is a list',
    'intent_id: must be a string, but is an object',
    'metadata.deep: must be a string, but is a list',
  ]);
});

test('a map of telemetry holds null, text, whole numbers and booleans, and nothing else', () => {
  const event = { event_type: 'STEP_STARTED', timestamp: 1, metadata: { a: null, b: 'x', c: 2 ** 40, d: true } };
  assert.equal(faultsOf(event, 'FlowCTelemetryEvent'), null);
  assert.deepEqual(faultsOf({ ...event, metadata: { a: 1.5, b: [] } }, 'FlowCTelemetryEvent'), [
    'metadata.a: must be a string, a whole number from -9007199254740990 to 9007199254740990, true or false or null, but is 1.5',
    'metadata.b: must be a string, a whole number from -9007199254740990 to 9007199254740990, true or false or null, but is a list',
  ]);
});

test('every field of every JSON Schema has a description, and every optional one its default', () => {
  const visit = (schema: JsonSchema): void => {
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      assert.ok(field.description, name);
      assert.notEqual(schema.required?.includes(name), 'default' in field, name);
      visit(field);
      if (field.items) visit(field.items);
    }
  };
  for (const name of RECORD_NAMES) visit(RECORDS[name].schema);
});

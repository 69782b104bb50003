import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR_CODES, type ErrorCode } from '../../platform/errors.ts';
import { STATUS_OF } from './status-of.ts';

test('every error code has the status of an error, and no code is mapped that does not exist', () => {
  assert.deepEqual(Object.keys(STATUS_OF).toSorted(), Object.keys(ERROR_CODES).toSorted());
  for (const [code, status] of Object.entries(STATUS_OF)) assert.ok(status >= 400 && status <= 599, code);
});

test('what is not found is 404, and only that', () => {
  const notFound = Object.keys(STATUS_OF).filter((code) => STATUS_OF[code as ErrorCode] === 404);
  assert.deepEqual(
    notFound.toSorted(),
    Object.keys(ERROR_CODES)
      .filter((code) => code.endsWith('_NOT_FOUND'))
      .toSorted(),
  );
});

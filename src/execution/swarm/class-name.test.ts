import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readyTicket } from '../scheduling/sample-ticket.testing.ts';
import { classKeyOf } from '../scheduling/waiting.ts';
import { classNameOf } from './class-name.ts';

const nameOf = (more: Parameters<typeof readyTicket>[0], metadata: Record<string, string> = {}): string => {
  const { spec } = readyTicket(more);
  return classNameOf(classKeyOf({ ...spec, metadata: { ...spec.metadata, ...metadata } }));
};

test('a class is named by what its agents must be, without what is ordinary', () => {
  assert.equal(nameOf({}), 'BUILD');
  assert.equal(nameOf({ needs: ['node', 'gpu'] }), 'BUILD.node.gpu');
  assert.equal(nameOf({ type: 'EXECUTE', customType: 'paint' }, { region: 'eu' }), 'paint.in-eu');
  const { spec } = readyTicket({});
  assert.equal(classNameOf(classKeyOf({ ...spec, security_level: 'RESTRICTED' })), 'BUILD.restricted');
});

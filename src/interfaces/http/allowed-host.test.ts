import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostGuard } from './allowed-host.ts';

test('a server on loopback answers to names of loopback and to those it was told of', () => {
  const isAllowed = hostGuard('127.0.0.1', ['Colmeia.internal']);
  for (const host of [
    'localhost',
    'localhost:7420',
    '127.0.0.1:80',
    '127.8.9.1',
    '[::1]:7420',
    '[::1]',
    'app.localhost',
    'LOCALHOST',
    'colmeia.internal:7420',
  ]) {
    assert.ok(isAllowed(host), host);
  }
  for (const host of [
    'evil.example',
    'evil.example:7420',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '[::2]',
    '',
    'localhost:x',
    'a@localhost',
  ]) {
    assert.ok(!isAllowed(host), host);
  }
});

test('a server for others answers to every name', () => {
  assert.ok(hostGuard('0.0.0.0')('colmeia.example:443'));
});

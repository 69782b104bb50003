import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Secret } from '../../platform/secret.ts';
import { Redactor } from './redact.ts';

const knowing = (...values: string[]): Redactor => {
  const redactor = new Redactor();
  for (const value of values) redactor.learn(new Secret(value));
  return redactor;
};
const PEM = `-----BEGIN PRIVATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC'.repeat(3)}\n${'BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj'.repeat(3)}\n-----END PRIVATE KEY-----\n`;

describe('the redactor', () => {
  test('takes a secret out wherever it stands, as often as it stands there', () => {
    const redactor = knowing('sk_live_0123456789');
    assert.equal(redactor.redact('a sk_live_0123456789, sk_live_0123456789'), 'a [secret], [secret]');
    assert.equal(redactor.redact('nothing to see'), 'nothing to see');
  });
  test('knows a secret in each way in which texts write it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 12, maxLength: 80 }).filter((value) => value.isWellFormed()),
        fc.string({ maxLength: 5 }),
        (value, before) => {
          const redactor = knowing(value);
          const written = [
            value,
            JSON.stringify({ value }),
            JSON.stringify(JSON.stringify({ value })),
            encodeURIComponent(value),
            new URLSearchParams({ value }).toString(),
          ];
          for (const text of written) assert.ok(redactor.redact(`${before}${text}`).includes('[secret]'), text);
          for (const encoding of ['base64', 'base64url'] as const) {
            const text = Buffer.from(`${before}:${value}`).toString(encoding);
            const left = redactor.redact(text);
            const seen = Buffer.from(left.replaceAll('[secret]', ''), 'base64').toString();
            assert.ok(left.includes('[secret]') && !seen.includes(value), text);
          }
        },
      ),
    );
  });
  test('knows a secret that was cut', () => {
    const redactor = knowing(PEM, 'sk_live_0123456789');
    assert.ok(!redactor.redact(`failed: ${PEM.slice(0, 200)}…`).includes('MIIEvQ'));
    assert.equal(redactor.redact('got sk_live_012…'), 'got [secret]…');
  });
  test('knows each line of a long secret, and the password of a URL', () => {
    const redactor = knowing(PEM, 'postgresql://ana:p%40ss%20word@db.acme.example/acme');
    assert.equal(redactor.redact(`line ${PEM.split('\n')[2]}`), 'line [secret]');
    assert.equal(redactor.redact('password "p@ss word" refused'), 'password "[secret]" refused');
    assert.equal(redactor.redact('password p%40ss%20word'), 'password [secret]');
  });
  test('leaves alone what only begins as a secret does', () => {
    const redactor = knowing('postgresql://ana:secret-word@db.acme.example/acme');
    const text = 'postgresql://bob@other.example/x and -----BEGIN CERTIFICATE-----';
    assert.equal(redactor.redact(text), text);
  });
  test('forgets the oldest of more than a thousand, and does not learn what is too short', () => {
    const redactor = knowing('short', 'the-very-first-one');
    assert.equal(redactor.redact('short the-very-first-one'), 'short [secret]');
    for (let n = 0; n < 1_000; n++) redactor.learn(new Secret(`another-secret-${n}-`));
    assert.equal(redactor.redact('the-very-first-one another-secret-999-'), 'the-very-first-one [secret]');
  });
});

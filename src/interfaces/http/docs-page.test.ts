import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { colmeiaDouble } from './colmeia.testing.ts';
import { renderDocsPage } from './docs-page.ts';
import { createHttpApp } from './http-app.ts';

const { app, operations } = await createHttpApp({ colmeia: colmeiaDouble(), host: '127.0.0.1' });
const page = await app.inject('/docs');

test('the page shows every operation, and every link in it leads somewhere', () => {
  for (const { id, path } of operations) assert.ok(page.body.includes(`<article id="${id}">`), path);
  const ids = new Set([...page.body.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  const broken = [...page.body.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id).filter((id) => !ids.has(id));
  assert.deepEqual(broken, []);
});

test('the page runs nothing and loads nothing, and its policy says so', () => {
  assert.doesNotMatch(page.body, /<script|<link|<img|<iframe| style=| on\w+=|javascript:/i);
  const policy = String(page.headers['content-security-policy']);
  const style = /<style>([\s\S]*?)<\/style>/.exec(page.body)![1]!;
  assert.ok(policy.startsWith("default-src 'none';"));
  assert.ok(policy.includes(createHash('sha256').update(style).digest('base64')));
});

test('what the document says is text, never markup', () => {
  const described = {
    operationId: 'x',
    summary: '<b>"s"</b>',
    description: '`<i>`',
    tags: ['t'],
    responses: { 200: { description: '<u>' } },
  };
  const html = renderDocsPage({
    info: { title: '<title>', version: '1', description: '&' },
    tags: [{ name: 't', description: '<s>' }],
    paths: { '/<p>': { get: described } },
    components: { schemas: { '<n>': { description: '<d>', type: 'object' } } },
  });
  assert.doesNotMatch(html, /<(b|i|u|s|p|n|d)>[^<]*"s"|<i>|<u>|<n>|<d>|<s>|<title><title>/);
  assert.match(html, /<code>&lt;i&gt;<\/code>/);
});

// Turns the Markdown pages into HTML. A page knows headings, lists, links and paragraphs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { filesOf, finish } from './step.mjs';

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const inline = (text) => escape(text).replaceAll(/\[([^\]]+)\]\(([^)\s]+)\.md\)/g, '<a href="$2.html">$1</a>');
const block = (text) =>
  text.startsWith('# ')
    ? `<h1>${inline(text.slice(2))}</h1>`
    : text.startsWith('- ')
      ? `<ul>${text
          .split('\n')
          .map((line) => `<li>${inline(line.slice(2))}</li>`)
          .join('')}</ul>`
      : `<p>${inline(text)}</p>`;

mkdirSync('build/docs', { recursive: true });
const pages = filesOf('source/docs');
for (const page of pages) {
  const body = readFileSync(`source/docs/${page}`, 'utf8')
    .trim()
    .split(/\n{2,}/)
    .map(block)
    .join('\n');
  writeFileSync(`build/docs/${page.replace(/\.md$/, '.html')}`, `<!doctype html>\n<meta charset="utf-8">\n${body}\n`);
}
finish({ pages: pages.length });

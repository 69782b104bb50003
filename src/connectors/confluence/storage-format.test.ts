import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countLinks, fromPortable, toPortable } from './page-references.ts';
import { rewriteStorage } from './storage-format.ts';

const URL_OF_SITE = 'https://acme.atlassian.net';
const source = {
  url: URL_OF_SITE,
  spaceKey: 'SRC',
  pageRef: (id: string) => ({ '11': '1', '12': '2' })[id] ?? null,
  issueRef: (key: string) => (key.startsWith('SRC-') ? key.slice(4) : null),
};
const target = {
  url: 'https://zenith.atlassian.net',
  spaceKey: 'TGT',
  pageId: (ref: string) => ({ '1': '901', '2': '902' })[ref] ?? null,
  issueKey: (ref: string) => `TGT-${Number(ref) + 100}`,
};
const copied = (body: string): string => fromPortable(toPortable(body, source), target).body;

test('what is not offered for a change stays byte by byte, whatever it is', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '<p>',
      '</p>',
      '<br />',
      '<![CDATA[ <a href="x"> ]]>',
      '<!-- <a> -->',
      '&nbsp;&amp;',
      "<a href='it\"s'>",
      '</a>',
      '<ac:parameter ac:name="x">',
      '</ac:parameter>',
      '<',
      '>',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const body = pieces.join('');
      const same = {
        attribute: (_: string, __: string, value: string) => value,
        parameter: (_: string, __: string, t: string) => t,
      };
      assert.equal(rewriteStorage(body, same), body);
    }),
  );
});

test('the key of the space in prose, in code, in comments and in text that looks like markup is not touched', () => {
  const body = [
    '<p>SRC and SRC-1, see https://acme.atlassian.net/wiki/spaces/SRC/pages/11</p>',
    '<ac:plain-text-body><![CDATA[<ri:space ri:space-key="SRC" />]]></ac:plain-text-body>',
    '<!-- <ri:space ri:space-key="SRC" /> -->',
    '<p>&lt;ri:space ri:space-key=&quot;SRC&quot; /&gt;</p>',
    '<p title="SRC" data-key="SRC-1">x</p>',
  ].join('');
  assert.equal(copied(body), body);
});

test('links to pages, the space and issues lead to the copies', () => {
  const pairs: [string, string][] = [
    ['<ri:space ri:space-key="SRC" />', '<ri:space ri:space-key="TGT" />'],
    [
      '<ri:page ri:content-title="A &amp; B" ri:space-key="SRC" />',
      '<ri:page ri:content-title="A &amp; B" ri:space-key="TGT" />',
    ],
    [
      `<a href="${URL_OF_SITE}/wiki/spaces/SRC/pages/11/Old+Title#x">t</a>`,
      `<a href="${target.url}/wiki/spaces/TGT/pages/901#x">t</a>`,
    ],
    [
      '<a href="/wiki/pages/viewpage.action?pageId=12">t</a>',
      `<a href="${target.url}/wiki/spaces/TGT/pages/902">t</a>`,
    ],
    [
      `<a href="${URL_OF_SITE}/wiki/spaces/SRC/overview">t</a>`,
      `<a href="${target.url}/wiki/spaces/TGT/overview">t</a>`,
    ],
    [`<a href="${URL_OF_SITE}/browse/SRC-7">SRC-7</a>`, `<a href="${target.url}/browse/TGT-107">SRC-7</a>`],
    ['<ri:content-entity ri:content-id="11" />', '<ri:content-entity ri:content-id="901" />'],
    [macro('jira', 'key', 'SRC-7'), macro('jira', 'key', 'TGT-107')],
    [macro('recently-updated', 'spaceKey', 'SRC'), macro('recently-updated', 'spaceKey', 'TGT')],
  ];
  for (const [before, after] of pairs) assert.equal(copied(`<p>${before}</p>`), `<p>${after}</p>`);
});

test('links to what is not copied stay', () => {
  const kept = [
    '<ri:page ri:content-title="x" ri:space-key="OTHER" />',
    `<a href="${URL_OF_SITE}/wiki/spaces/SRC/pages/99">t</a>`,
    `<a href="https://elsewhere.example/wiki/spaces/SRC/pages/11">t</a>`,
    `<a href="${URL_OF_SITE}/browse/OTHER-1">t</a>`,
    macro('jira', 'key', 'OTHER-1'),
    macro('jira', 'jqlQuery', 'project = SRC'),
    macro('code', 'title', 'SRC'),
  ];
  for (const body of kept) assert.equal(copied(body), body);
});

test('what is missing for a body is said', () => {
  const portable = toPortable(`<a href="/wiki/spaces/SRC/pages/11/x">t</a>${macro('jira', 'key', 'SRC-7')}`, source);
  const nothing = { ...target, pageId: () => null, issueKey: () => null };
  const { missesPages, missesIssues } = fromPortable(portable, nothing);
  assert.deepEqual({ missesPages, missesIssues }, { missesPages: true, missesIssues: true });
  assert.equal(countLinks(portable), 2);
});

test('ids that Confluence makes up with every save are left out', () => {
  const body = '<ac:structured-macro ac:name="toc" ac:schema-version="1" ac:macro-id="1-2" /><p local-id="9">x</p>';
  assert.equal(toPortable(body, source), '<ac:structured-macro ac:name="toc" ac:schema-version="1" /><p>x</p>');
});

function macro(name: string, parameter: string, value: string): string {
  return `<ac:structured-macro ac:name="${name}"><ac:parameter ac:name="${parameter}">${value}</ac:parameter></ac:structured-macro>`;
}

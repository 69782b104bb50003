// What a real site would be called like, cut at every call: too long for `npm test`, so it is with the suites on servers.
import { addPage, addSpace, type ConfluenceSite, removeSpace } from '../fakes/confluence/confluence-site.ts';
import { openFakeConfluence } from '../fakes/confluence/open-confluence.ts';
import { type FakeConfluence, startConfluence } from '../fakes/confluence-server.ts';
import {
  type AccountWorld,
  conformsAsProjectAccount,
} from '../../src/connectors/atlassian/project-account.conformance.ts';

// The client's schemas then refuse every field that Confluence does not document.
process.env.AUDIT_SCHEMAS = 'true';

conformsAsProjectAccount('Confluence', async () => {
  const confluence = await startConfluence();
  confluence.site.pageSizes = [250, 250, 250, 0, 3];
  return worldOf(confluence);
});

function worldOf(confluence: FakeConfluence): AccountWorld {
  const { site } = confluence;
  return {
    open: (through) => openFakeConfluence(confluence, through),
    fill: (key) => fillSpace(site, key),
    addForeign: (key, { empty }) => {
      const space = addSpace(site, { key, name: `Foreign ${key}` });
      if (!empty) addPage(site, { spaceId: space.id, title: 'Notes', parentId: space.homepageId, body: '<p>x</p>' });
    },
    count: (key) => [...site.pages.values()].filter((page) => page.spaceId === site.spaces.get(key)?.id).length,
    clear: (key) => removeSpace(site, key),
    close: () => confluence.close(),
  };
}

/** Links lead to pages that come later, a page speaks of the space's key, and one stands at the root. */
function fillSpace(site: ConfluenceSite, key: string): void {
  const space = addSpace(site, { key, name: `Source ${key}` });
  const home = site.pages.get(space.homepageId)!;
  const page = (title: string, parentId: string | null, body: string) =>
    addPage(site, { spaceId: space.id, title, parentId, body });
  const guide = page(
    'Guide',
    home.id,
    `<p>The key ${key} in prose, and &lt;ri:space ri:space-key=&quot;${key}&quot;&gt;</p>`,
  );
  const first = page('First & "quoted"', guide.id, '');
  const second = page('Second', guide.id, '<p>deep</p>');
  const root = page('At the root', null, '<ac:structured-macro ac:name="toc" ac:macro-id="1b2" />');
  first.body = [
    `<p><ac:link><ri:page ri:content-title="Second" ri:space-key="${key}" ri:version-at-save="3" /></ac:link>`,
    `<ac:link><ri:page ri:content-title="Second" /></ac:link>`,
    `<a href="${site.url}/wiki/spaces/${key}/pages/${root.id}/At+the+root#part">root</a>`,
    `<a href="/wiki/pages/viewpage.action?pageId=${second.id}">second</a>`,
    `<a href="https://example.com/wiki/spaces/${key}/pages/${root.id}">elsewhere</a></p>`,
    `<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[<ri:space ri:space-key="${key}" />]]></ac:plain-text-body></ac:structured-macro>`,
    `<ac:structured-macro ac:name="recently-updated"><ac:parameter ac:name="spaces"><ri:space ri:space-key="${key}" /></ac:parameter></ac:structured-macro>`,
  ].join('');
  home.body = `<p><ac:image><ri:attachment ri:filename="a.txt" /></ac:image><a href="${site.url}/wiki/spaces/${key}/pages/${first.id}">first</a></p>`;
  second.position = first.position - 10;
  guide.labels.add('b').add('a');
  for (const [i, title] of ['a.txt', 'b ü.bin'].entries()) {
    const file = { id: `att${title}${key}`.replace(/\W/g, ''), title, mediaType: 'text/plain', version: 1 };
    home.attachments.push({ ...file, content: Buffer.alloc(50 + i, i) });
  }
}

import type { FakeAnswer } from '../faults.ts';
import { filesOf, jsonOf, type VendorCall, type VendorRoute } from '../vendor-server.ts';
import { attachmentView } from './jira-issues.ts';
import {
  issueOf,
  newId,
  refused,
  stamp,
  type Adf,
  type FakeAttachment,
  type FakeComment,
  type JiraSite,
} from './jira-site.ts';

/** Comments, links and attachments. */
export function discussionRoutes(site: JiraSite): VendorRoute[] {
  return [
    ['GET', '/rest/api/3/issue/:issue/comment', (call) => getComments(site, call)],
    ['POST', '/rest/api/3/issue/:issue/comment', (call) => addComment(site, call)],
    ['DELETE', '/rest/api/3/issue/:issue/comment/:comment', (call) => deleteComment(site, call)],
    ['POST', '/rest/api/3/comment/list', (call) => commentList(site, call)],
    ['POST', '/rest/api/3/issueLink', (call) => linkIssues(site, call)],
    ['DELETE', '/rest/api/3/issueLink/:link', (call) => deleteLink(site, call)],
    ['POST', '/rest/api/3/issue/:issue/attachments', (call) => addAttachments(site, call)],
    ['GET', '/rest/api/3/attachment/content/:attachment', (call) => redirectToContent(site, call)],
    ['DELETE', '/rest/api/3/attachment/:attachment', (call) => deleteAttachment(site, call)],
  ];
}

function getComments(site: JiraSite, call: VendorCall): FakeAnswer {
  const issue = issueOf(site, call.params.issue!);
  const startAt = Number(call.query.get('startAt') ?? 0);
  const maxResults = Math.min(Number(call.query.get('maxResults') ?? 100), 100);
  const comments = issue.comments
    .slice(startAt, startAt + maxResults)
    .map((one) => ({ ...one, properties: undefined }));
  return { status: 200, body: { comments, startAt, maxResults, total: issue.comments.length } };
}

function addComment(site: JiraSite, call: VendorCall): FakeAnswer {
  const issue = issueOf(site, call.params.issue!);
  const given = jsonOf(call) as { body?: Adf; properties?: FakeComment['properties'] };
  if (given.body?.type !== 'doc') throw refused(400, '', { comment: 'Comment body is not valid!' });
  const comment = { id: newId(site), body: given.body, created: stamp(site), properties: given.properties ?? [] };
  issue.comments.push(comment);
  return { status: 201, body: { ...comment, author: { accountId: 'account-bot' } } };
}

function deleteComment(site: JiraSite, call: VendorCall): FakeAnswer {
  const issue = issueOf(site, call.params.issue!);
  issue.comments = issue.comments.filter((one) => one.id !== call.params.comment);
  return { status: 204 };
}

function commentList(site: JiraSite, call: VendorCall): FakeAnswer {
  const ids = ((jsonOf(call).ids ?? []) as number[]).map(String);
  if (ids.length > 1000) throw refused(400, 'The maximum number of comment IDs is 1000.');
  const withProperties = call.query.get('expand') === 'properties';
  const values = [...site.issues.values()]
    .flatMap((issue) => issue.comments)
    .filter((one) => ids.includes(one.id))
    .map((one) => (withProperties ? one : { ...one, properties: undefined }));
  return { status: 200, body: { isLast: true, maxResults: 1048576, startAt: 0, total: values.length, values } };
}

function linkIssues(site: JiraSite, call: VendorCall): FakeAnswer {
  const given = jsonOf(call) as Record<
    'inwardIssue' | 'outwardIssue' | 'type',
    { key?: string; id?: string; name?: string }
  >;
  const type = site.linkTypes.find((one) => one.name === given.type.name || one.id === given.type.id);
  if (type === undefined) throw refused(404, `No issue link type with name '${given.type.name}' found.`);
  const from = issueOf(site, given.inwardIssue.key ?? given.inwardIssue.id ?? '');
  const to = issueOf(site, given.outwardIssue.key ?? given.outwardIssue.id ?? '');
  site.links.push({ id: newId(site), type: type.name, from: from.id, to: to.id });
  return { status: 201 };
}

function deleteLink(site: JiraSite, call: VendorCall): FakeAnswer {
  if (!site.links.some((one) => one.id === call.params.link)) throw refused(404, 'No issue link with this id.');
  site.links = site.links.filter((one) => one.id !== call.params.link);
  return { status: 204 };
}

function addAttachments(site: JiraSite, call: VendorCall): FakeAnswer {
  const issue = issueOf(site, call.params.issue!);
  const files = filesOf(call);
  const added = files.map(({ name, type, content }): FakeAttachment => ({
    id: newId(site),
    filename: name,
    mimeType: type,
    content,
    created: stamp(site),
  }));
  issue.attachments.push(...added);
  return { status: 200, body: added.map((one) => attachmentView(site, one)) };
}

function redirectToContent(site: JiraSite, call: VendorCall): FakeAnswer {
  const id = call.params.attachment!;
  const isThere = [...site.issues.values()].some((issue) => issue.attachments.some((one) => one.id === id));
  if (!isThere) throw refused(404, 'The attachment does not exist.');
  // The media service is another origin, to which credentials must not go.
  return { status: 303, headers: { location: `${site.mediaUrl}/media/${id}` } };
}

function deleteAttachment(site: JiraSite, call: VendorCall): FakeAnswer {
  for (const issue of site.issues.values()) {
    issue.attachments = issue.attachments.filter((one) => one.id !== call.params.attachment);
  }
  return { status: 204 };
}

import { ColmeiaError } from '../../platform/errors.ts';
import type { PortableAttachment } from '../../coordination/instances/outside-accounts.ts';
import { wholeOf } from '../atlassian/download.ts';
import { isUncertain, refusalOf } from '../atlassian/outcome.ts';
import type { Making } from './create-issues.ts';
import { COPY_MARK, type CopyMark } from './list-issues.ts';
import { hasReferences, withAddresses } from './adf-document.ts';
import { readIssues, type SourceIssue } from './read-issues.ts';
import { transitionTo } from './transition-issue.ts';

const MOST_ROUNDS = 4;
/** Jira lists no more comments in one call. */
const COMMENTS_LISTED = 1_000;

export type Settling = Making & {
  attachmentLimitBytes: number;
  /** Notes what of an issue has no place in the target. */
  leave(what: string, ref: string): void;
};

/** An issue of the target as it is now: its key, its content, and what its comments were made from, by their ids. */
type Standing = {
  key: string;
  now: SourceIssue;
  origins: ReadonlyMap<string, string>;
  isCopy(key: string): boolean;
};
/** One thing to do; `name` tells it from others of the same issue. */
type Deed = { ref: string; name: string; run(): Promise<void> };

/**
 * Brings comments, links, attachments, status and texts of made issues to what the sources have, by looking at what is
 * there and doing what is missing, until nothing is. What was done twice by calls that ended without an answer is taken
 * back.
 */
export async function settleIssues(settling: Settling, sources: readonly SourceIssue[]): Promise<void> {
  /** Done without effect that could be seen, or refused: not again. */
  const given = new Set<string>();
  let trouble: unknown = null;
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    settling.signal.throwIfAborted();
    const deeds = (await deedsOf(settling, sources)).filter(({ ref, name }) => !given.has(`${ref} ${name}`));
    if (deeds.length === 0) return;
    trouble = null;
    for (const deed of deeds) {
      settling.signal.throwIfAborted();
      try {
        await deed.run();
        if (deed.name.startsWith('text ') || deed.name === 'status') given.add(`${deed.ref} ${deed.name}`);
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal !== null) {
          settling.leave(`${deed.name.split(' ')[0]} refused: ${refusal}`, deed.ref);
          given.add(`${deed.ref} ${deed.name}`);
        } else if (isUncertain(error) && round < MOST_ROUNDS) {
          trouble = error;
          break;
        } else throw error;
      }
    }
  }
  throw (
    trouble ?? new ColmeiaError('OUTSIDE_UNAVAILABLE', 'jira: what was written does not come out as it was written')
  );
}

async function deedsOf(settling: Settling, sources: readonly SourceIssue[]): Promise<Deed[]> {
  const { api, target, made, signal } = settling;
  const refs = new Map([...made].map(([ref, key]) => [key, ref]));
  const wanted = new Map(sources.map((source) => [source.ref, source]));
  const keys = sources.map((source) => made.get(source.ref)!);
  const fields = target.custom;
  const now = await readIssues(api, keys, { fields, refOf: (key) => refs.get(key) ?? null, signal });
  const origins = await commentOrigins(settling, now);
  return now.flatMap((issue) => {
    const source = wanted.get(issue.ref)!;
    const standing = { key: made.get(issue.ref)!, now: issue, origins, isCopy: (key: string) => refs.has(key) };
    return [
      ...textDeeds(settling, source, standing),
      ...commentDeeds(settling, source, standing),
      ...linkDeeds(settling, source, standing),
      ...attachmentDeeds(settling, source, standing),
      ...statusDeeds(settling, source, standing),
    ];
  });
}

/** What the comments were made from, by id; comments of others are not in it. */
async function commentOrigins(settling: Settling, issues: readonly SourceIssue[]): Promise<Map<string, string>> {
  const { api, operationId, signal } = settling;
  const ids = issues.flatMap((issue) => issue.commentIds);
  const origins = new Map<string, string>();
  for (let at = 0; at < ids.length; at += COMMENTS_LISTED) {
    const some = ids.slice(at, at + COMMENTS_LISTED).map(Number);
    const page = await api.lib.getCommentsByIds(api.client({ signal }), { ids: some, expand: 'properties' });
    for (const comment of page.values) {
      const mark = comment.properties?.find((one) => one.key === COPY_MARK)?.value as CopyMark | undefined;
      if (mark?.operation === operationId) origins.set(comment.id!, mark.from);
    }
  }
  return origins;
}

/** Texts that point at other issues; the others came with the issue. */
function textDeeds({ api, made, signal }: Settling, source: SourceIssue, { key, now }: Standing): Deed[] {
  return (['description', 'environment'] as const).flatMap((name) => {
    const text = source.content[name];
    if (text === null || !hasReferences(text)) return [];
    if (JSON.stringify(now.content[name]) === JSON.stringify(text)) return [];
    const written = withAddresses(text, api.url, (ref) => made.get(ref) ?? `${ref}`);
    const run = async (): Promise<void> => {
      await api.lib.editIssue(api.client({ signal }), {
        issueIdOrKey: key,
        fields: { [name]: written },
        notifyUsers: false,
      });
    };
    return [{ ref: source.ref, name: `text ${name}`, run }];
  });
}

function commentDeeds(settling: Settling, source: SourceIssue, { key, now, origins }: Standing): Deed[] {
  const { api, operationId, made, signal } = settling;
  const there = now.commentIds.flatMap((id) => (origins.has(id) ? [{ id, from: origins.get(id)! }] : []));
  const kept = new Set<string>();
  const repeated = there.filter(({ from }) => {
    const isRepeated = kept.has(from);
    kept.add(from);
    return isRepeated;
  });
  const removals = repeated.map(({ id }) => ({
    ref: source.ref,
    name: `comment -${id}`,
    run: () => api.lib.deleteComment(api.client({ signal }), { issueIdOrKey: key, id }),
  }));
  const additions = source.commentIds.flatMap((from, i) => {
    if (kept.has(from)) return [];
    const mark: CopyMark = { operation: operationId, from, order: i, left: [] };
    const body = withAddresses(source.content.comments[i]!, api.url, (ref) => made.get(ref) ?? ref)!;
    const run = async (): Promise<void> => {
      const properties = [{ key: COPY_MARK, value: mark }];
      await api.lib.addComment(api.client({ signal }), { issueIdOrKey: key, body, properties });
    };
    return [{ ref: source.ref, name: `comment ${from}`, run }];
  });
  return [...removals, ...additions];
}

function linkDeeds(settling: Settling, source: SourceIssue, { key, now, isCopy }: Standing): Deed[] {
  const { api, target, made, signal } = settling;
  const { links } = source.content;
  // A link between an issue and its copy would lead from the copy to itself.
  const outside = source.content.outside.filter((one) => !isCopy(one.key));
  const isKnown = ({ type }: { type: string }): boolean => {
    if (target.linkTypes.has(type)) return true;
    settling.leave(`links of type ${type}`, source.ref);
    return false;
  };
  const add = (type: string, from: string, to: string): Deed => ({
    ref: source.ref,
    name: `link ${type} ${from} ${to}`,
    run: async () => {
      const ends = { inwardIssue: { key: from }, outwardIssue: { key: to } };
      await api.lib.linkIssues(api.client({ signal }), { type: { name: type }, ...ends });
    },
  });
  const remove = ({ id }: { id: string }): Deed => ({
    ref: source.ref,
    name: `link -${id}`,
    run: () => api.lib.deleteIssueLink(api.client({ signal }), { linkId: id }),
  });
  const insideId = (link: { type: string; to: string }): string => `${link.type} ${link.to}`;
  const outsideId = (one: { type: string; direction: string; key: string }): string =>
    `${one.type} ${one.direction} ${one.key}`;
  const inside = now.content.links.map((link, i) => ({ ...link, id: now.linkIds[i]! }));
  const beyond = now.content.outside.map((link, i) => ({ ...link, id: now.outsideIds[i]! }));
  const missing = less(links, inside, insideId).filter(({ to }) => made.has(to));
  const missingBeyond = target.isSameSite ? less(outside, beyond, outsideId) : [];
  return [
    ...surplus(inside, links, insideId).map(remove),
    ...surplus(beyond, outside, outsideId).map(remove),
    ...missing.filter(isKnown).map(({ type, to }) => add(type, key, made.get(to)!)),
    ...missingBeyond
      .filter(isKnown)
      .map((one) => (one.direction === 'to' ? add(one.type, key, one.key) : add(one.type, one.key, key))),
  ];
}

function attachmentDeeds(settling: Settling, source: SourceIssue, { key, now }: Standing): Deed[] {
  const { api, signal, attachmentLimitBytes } = settling;
  const idOf = (one: { name: string; bytes: number }): string => `${one.name} ${one.bytes}`;
  const removals = surplus(now.attachments, source.attachments, idOf).map(({ id }) => ({
    ref: source.ref,
    name: `attachment -${id}`,
    run: () => api.lib.removeAttachment(api.client({ signal }), { id }),
  }));
  const additions = less(source.attachments, now.attachments, idOf).flatMap((one) => {
    if (one.bytes > attachmentLimitBytes) {
      settling.leave(`attachments larger than ${attachmentLimitBytes} bytes`, `${source.ref} ${one.name}`);
      return [];
    }
    return [{ ref: source.ref, name: `attachment ${one.id}`, run: () => attach(settling, key, one) }];
  });
  return [...removals, ...additions];
}

async function attach({ api, signal }: Settling, key: string, one: PortableAttachment): Promise<void> {
  const content = new Blob([await wholeOf(one.open())], { type: one.type });
  const attachments = { filename: one.name, content };
  const [stored] = await api.lib.addAttachment(api.client({ signal }), { issueIdOrKey: key, attachments });
  if (stored?.size === one.bytes) return;
  throw new ColmeiaError('OUTSIDE_UNAVAILABLE', `jira: ${stored?.size} of ${one.bytes} bytes of a file were stored`);
}

function statusDeeds(settling: Settling, source: SourceIssue, { key, now }: Standing): Deed[] {
  const wanted = source.content.status;
  if (now.content.status === wanted) return [];
  const run = async (): Promise<void> => {
    const isThere = await transitionTo(settling.api, key, wanted, settling.signal);
    if (!isThere) settling.leave(`status ${wanted}`, source.ref);
  };
  return [{ ref: source.ref, name: 'status', run }];
}

/** What is there more often than it is wanted; what nobody wants is somebody else's. */
function surplus<T, U>(there: readonly T[], wanted: readonly U[], idOf: (one: T | U) => string): T[] {
  const ids = new Set(wanted.map(idOf));
  return less(there, wanted, idOf).filter((one) => ids.has(idOf(one)));
}

/** What of `all` is not in `taken`, counting each one as often as it is there. */
function less<T, U>(all: readonly T[], taken: readonly U[], idOf: (one: T | U) => string): T[] {
  const counts = new Map<string, number>();
  for (const one of taken) counts.set(idOf(one), (counts.get(idOf(one)) ?? 0) + 1);
  return all.filter((one) => {
    const count = counts.get(idOf(one)) ?? 0;
    counts.set(idOf(one), count - 1);
    return count <= 0;
  });
}

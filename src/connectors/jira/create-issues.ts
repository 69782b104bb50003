import { leaveBehind } from '../atlassian/left-behind.ts';
import type { LeftBehind } from '../../coordination/instances/outside-accounts.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { isUncertain } from '../atlassian/outcome.ts';
import { AcceptedStatus } from '../atlassian/vendor-client.ts';
import type { JiraApi } from './jira-api.ts';
import { COPY_MARK, type CopyMark, probeIssues } from './list-issues.ts';
import type { SourceIssue } from './read-issues.ts';
import { draftIssue, type IssueDraft, type TargetProject } from './target-project.ts';

/** Jira takes no more in one call. */
export const BULK = 50;
const MOST_ATTEMPTS = 4;

/** Fields without which there is no issue. */
const NEEDED = new Set(['project', 'issuetype', 'summary']);

/** The making of issues: what is there, by reference, and what Jira would not take. */
export type Making = {
  api: JiraApi;
  target: TargetProject;
  operationId: string;
  made: Map<string, string>;
  /** Why an issue could not be made, by reference. */
  refused: Map<string, string>;
  signal: AbortSignal;
};

type BulkErrors = {
  failedElementNumber?: number;
  elementErrors?: { errors?: Record<string, string>; errorMessages?: string[] };
};
type BulkAnswer = { issues?: { key: string }[]; errors?: BulkErrors[] };

/** An issue to make, with its place in the source and the fields that Jira refused of it so far. */
type Wanted = { source: SourceIssue; order: number; dropped: Set<string> };

/**
 * Makes up to 50 issues in one call, each with a mark that names what it was made from. When a call ends without an answer
 * the marks tell what it did; nothing is made twice. Fields that Jira refuses are left out and noted in the mark.
 */
export async function createIssues(
  making: Making,
  batch: readonly { source: SourceIssue; order: number }[],
): Promise<void> {
  let open: Wanted[] = batch.map((one) => ({ ...one, dropped: new Set() }));
  for (let attempt = 1; open.length > 0; attempt++) {
    making.signal.throwIfAborted();
    try {
      note(making, open, await sendBulk(making, open));
    } catch (error) {
      if (attempt >= MOST_ATTEMPTS || !isUncertain(error)) throw error;
      await findMade(making);
    }
    open = open.filter(({ source }) => !making.made.has(source.ref) && !making.refused.has(source.ref));
  }
}

/** Takes up what an earlier call made, whether or not its answer arrived. */
export async function findMade({ api, target, operationId, made, signal }: Making): Promise<void> {
  for (const { key, mark } of await probeIssues(api, target.key, 1, [], signal)) {
    if (mark?.operation === operationId && !made.has(mark.from)) made.set(mark.from, key);
  }
}

async function sendBulk(making: Making, open: readonly Wanted[]): Promise<BulkAnswer> {
  const { api, target, operationId, made, signal } = making;
  const issueUpdates = open.map(({ source, order, dropped }) => {
    const draft = withoutDropped(
      draftIssue(target, api.url, source, (ref) => made.get(ref) ?? null),
      dropped,
    );
    const mark: CopyMark = { operation: operationId, from: source.ref, order, left: draft.left };
    return { fields: draft.fields, properties: [{ key: COPY_MARK, value: mark }] };
  });
  try {
    return (await api.lib.createIssues(api.client({ accept: [400], signal }), { issueUpdates })) as BulkAnswer;
  } catch (error) {
    if (!(error instanceof AcceptedStatus)) throw error;
    // Jira says 400 when none of the issues could be made, with a reason for each of them.
    const answer = error.body as BulkAnswer;
    if (Array.isArray(answer.errors) && answer.errors.length > 0) return answer;
    const { errorMessages = [] } = error.body as { errorMessages?: string[] };
    throw new ColmeiaError('OUTSIDE_REFUSED', `jira: no issue could be made: ${errorMessages.join(' ')}`);
  }
}

function withoutDropped(draft: IssueDraft, dropped: ReadonlySet<string>): IssueDraft {
  const fields = Object.fromEntries(Object.entries(draft.fields).filter(([name]) => !dropped.has(name)));
  return { fields, left: [...draft.left, ...[...dropped].map((name) => `field ${name}`)] };
}

/** Jira names the made ones in order, and the failed ones by their place. */
function note(making: Making, open: readonly Wanted[], answer: BulkAnswer): void {
  const failed = new Map((answer.errors ?? []).map((one) => [one.failedElementNumber ?? -1, one]));
  const keys = (answer.issues ?? []).map((issue) => issue.key);
  if (keys.length + failed.size !== open.length) {
    throw new ColmeiaError(
      'OUTSIDE_UNAVAILABLE',
      `jira: ${keys.length + failed.size} of ${open.length} issues are answered for`,
    );
  }
  open.forEach(({ source, dropped }, i) => {
    const error = failed.get(i);
    if (error === undefined) {
      making.made.set(source.ref, keys.shift()!);
      return;
    }
    const errors = error.elementErrors?.errors ?? {};
    const refusable = Object.keys(errors).filter((name) => !NEEDED.has(name) && !dropped.has(name));
    for (const name of refusable) dropped.add(name);
    const reason = [...Object.values(errors), ...(error.elementErrors?.errorMessages ?? [])].join(' ');
    if (refusable.length === 0) making.refused.set(source.ref, reason);
  });
}

/** Issues that could not be made, for the report. */
export function refusedIssues({ refused }: Making, left: readonly LeftBehind[]): LeftBehind[] {
  return [...refused].reduce((all, [ref, reason]) => leaveBehind(all, `issues not made: ${reason}`, ref), [...left]);
}

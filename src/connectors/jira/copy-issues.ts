import type { CopyCounts, CopyMemory, CopyRun, LeftBehind } from '../../coordination/instances/outside-accounts.ts';
import { leaveBehind } from '../atlassian/left-behind.ts';
import { BULK, createIssues, findMade, type Making, refusedIssues } from './create-issues.ts';
import type { JiraApi } from './jira-api.ts';
import { type IssueHead, probeIssues } from './list-issues.ts';
import type { SourceIssue } from './read-issues.ts';
import { settleIssues } from './settle-issues.ts';
import { readTarget } from './target-project.ts';

/** Where issues come from: another project, or the records of an export. */
export type IssueSource = {
  total: number;
  /** True: it is on the target's site. */
  isSameSite: boolean;
  /** Parents before children, those out of `skip` left out; from the start whenever it is called. */
  issues(skip: (ref: string) => boolean): AsyncIterable<OrderedIssue>;
};
export type OrderedIssue = { source: SourceIssue; order: number };

/** A copy under way: what is made, and of what everything is there. */
type Progress = { making: Making; settled: Set<string>; left: LeftBehind[]; total: number };

/**
 * Copies issues into a project: first all issues, parents before children, then what is on them. After a cut at any point
 * it goes on with what its memory and the marks in the target say. Throws what the site throws.
 */
export async function copyIssues(
  api: JiraApi,
  source: IssueSource,
  run: CopyRun,
  attachmentLimitBytes: number,
): Promise<CopyCounts> {
  const target = await readTarget(api, run.to, source.isSameSite);
  const made = new Map(run.memory.made);
  const { operationId, signal } = run;
  const making: Making = { api, target, operationId, made, refused: new Map(), signal };
  const settled = new Set(run.memory.made.slice(0, run.memory.settled).map(([ref]) => ref));
  const progress: Progress = { making, settled, left: run.memory.left, total: source.total };
  await findMade(making);
  await makeAll(progress, source, run);
  await settleAll(progress, source, run, attachmentLimitBytes);
  return countAll(making, await sweep(making), progress.left);
}

async function makeAll(progress: Progress, source: IssueSource, run: CopyRun): Promise<void> {
  const { making, total } = progress;
  const { made } = making;
  for await (const batch of batches(source.issues((ref) => made.has(ref)))) {
    await createIssues(making, batch);
    await run.keep(memoryOf(progress));
    run.progress(`${made.size} of ${total} issues made`, (0.4 * made.size) / Math.max(1, total));
  }
}

async function settleAll(progress: Progress, source: IssueSource, run: CopyRun, limit: number): Promise<void> {
  const { making, settled, total } = progress;
  const isLeftOut = (ref: string): boolean => settled.has(ref) || !making.made.has(ref);
  for await (const batch of batches(source.issues(isLeftOut))) {
    const noted = new Map<string, { what: string; ref: string }>();
    const leave = (what: string, ref: string): void => void noted.set(`${what} ${ref}`, { what, ref });
    await settleIssues(
      { ...making, attachmentLimitBytes: limit, leave },
      batch.map((one) => one.source),
    );
    for (const one of batch) settled.add(one.source.ref);
    for (const { what, ref } of noted.values()) progress.left = leaveBehind(progress.left, what, ref);
    await run.keep(memoryOf(progress));
    const share = 0.4 + (0.6 * settled.size) / Math.max(1, total);
    run.progress(`${settled.size} of ${total} issues with comments, links and files`, share);
  }
}

/** The settled ones first: that is how the memory tells them. */
function memoryOf({ making, settled, left }: Progress): CopyMemory {
  const pairs = [...making.made];
  const first = pairs.filter(([ref]) => settled.has(ref));
  return { made: [...first, ...pairs.filter(([ref]) => !settled.has(ref))], settled: first.length, left };
}

/** At most 50 each, and no child in the same one as its parent. */
async function* batches(issues: AsyncIterable<OrderedIssue>): AsyncIterable<OrderedIssue[]> {
  let batch: OrderedIssue[] = [];
  let refs = new Set<string>();
  for await (const one of issues) {
    if (batch.length === BULK || refs.has(one.source.parent ?? '')) {
      yield batch;
      batch = [];
      refs = new Set();
    }
    batch.push(one);
    refs.add(one.source.ref);
  }
  if (batch.length > 0) yield batch;
}

/** Issues of this copy that are there, less those that a call without an answer had made a second time. */
async function sweep(making: Making): Promise<IssueHead[]> {
  const { api, target, operationId, made, signal } = making;
  const heads = await probeIssues(api, target.key, 1, ['issuelinks', 'attachment', 'comment'], signal);
  const own = heads.filter(({ mark }) => mark?.operation === operationId);
  const kept = own.filter(({ key, mark }) => made.get(mark!.from) === key);
  for (const { key } of own.filter((head) => !kept.includes(head))) {
    await api.lib.deleteIssue(api.client({ signal }), { issueIdOrKey: key, deleteSubtasks: 'false' });
  }
  return kept;
}

function countAll(making: Making, heads: readonly IssueHead[], settleLeft: LeftBehind[]): CopyCounts {
  const notes = heads.flatMap(({ mark }) => mark!.left.map((what) => ({ what, from: mark!.from })));
  const left = notes.reduce((all, { what, from }) => leaveBehind(all, what, from), settleLeft);
  return { ...countHeads(heads), left: refusedIssues(making, left) };
}

/** Figures of issues that were fetched with links, attachments and comments; links of the same project count once. */
export function countHeads(heads: readonly IssueHead[]): Omit<CopyCounts, 'left'> {
  const keys = new Set(heads.map((head) => head.key));
  const fields = heads.map(({ issue }) => issue.fields ?? {});
  const links = fields.flatMap((one) => (one.issuelinks ?? []) as { outwardIssue?: { key: string } }[]);
  const attachments = fields.flatMap((one) => (one.attachment ?? []) as { size: number }[]);
  return {
    items: heads.length,
    links: links.filter(({ outwardIssue }) => outwardIssue !== undefined && keys.has(outwardIssue.key)).length,
    comments: fields.reduce((sum, one) => sum + ((one.comment as { total?: number } | undefined)?.total ?? 0), 0),
    attachments: attachments.length,
    bytes: attachments.reduce((sum, one) => sum + one.size, 0),
  };
}

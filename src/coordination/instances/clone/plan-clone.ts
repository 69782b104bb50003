import type { OperationPlan } from '../instance-views.ts';
import type { CloneInput, CloneParts } from './clone-parts.ts';
import { surveySource, type SourceAccount } from './survey-source.ts';

type PlannedStep = OperationPlan['steps'][number];

/** Calls to make a project or space and to know it as the company's. */
const CALLS_OF_ACCOUNT = 5;
/** Items that are read together, and calls that takes; attachments are one more each. */
const PAGE = 50;
const CALLS_OF_PAGE = 6;

/** What a clone would do. Outside it only asks; nothing is changed anywhere. Throws INSTANCE_NOT_FOUND. */
export async function planClone(parts: CloneParts, target: string, { source }: CloneInput): Promise<OperationPlan> {
  const survey = await surveySource(parts, source, target);
  const { kept, folder, tree, database, jira, confluence, resources, obstacles } = survey;
  const names = new Set(folder?.secrets.map(({ name }) => name));
  const tables = Object.values(database?.fingerprint.tables ?? {});
  const hasProject = resources.some(({ kind }) => kind === 'supabase-project');
  const content = [
    ...(await plannedContent('jira', 'issues', jira)),
    ...(await plannedContent('confluence', 'pages', confluence)),
  ];
  const steps: PlannedStep[] = [
    { name: 'check', detail: 'again, when it begins' },
    {
      name: 'files',
      detail: `${tree.files.length} files, with the fields of "${target}"`,
      bytes: tree.files.reduce((sum, { bytes }) => sum + bytes, 0),
    },
    { name: 'registry', detail: `"${target}", paused until its proof holds` },
    { name: 'secrets', detail: names.size === 0 ? 'none to set' : `to be set: ${[...names].toSorted().join(', ')}` },
    { name: 'supabase', detail: hasProject ? 'a project of its own' : 'none' },
    { name: 'database', detail: `of its own, strategy ${kept.strategy}` },
    {
      name: 'rows',
      detail: `of ${tables.length} tables`,
      rows: tables.reduce((sum, { rows }) => sum + rows, 0),
      bytes: database?.bytes ?? 0,
    },
    ...content,
    { name: 'validation', detail: 'secrets that are still to be set are faults' },
    { name: 'proof', detail: 'both sides, part by part', calls: callsOfProof(content) },
    { name: 'activate', detail: 'when the proof holds' },
  ];
  return { kind: 'clone', instance: target, steps, obstacles };
}

async function plannedContent(account: string, content: string, source: SourceAccount | null): Promise<PlannedStep[]> {
  if (source === null) return [account, content].map((name) => ({ name, detail: 'the source has none', calls: 0 }));
  const { items, links, attachments, bytes, calls } = await source.account.plan(source.key);
  const detail = `${items} ${content} of ${source.key}, ${links} links, ${attachments} attachments`;
  return [
    { name: account, detail: 'of its own', calls: CALLS_OF_ACCOUNT },
    { name: content, detail, rows: items, bytes, calls },
  ];
}

/** The target is read whole, with its attachments, as the source was before: about what the copy itself has read. */
const callsOfProof = (content: readonly PlannedStep[]): number =>
  content.reduce((sum, { rows = 0 }) => sum + Math.ceil(rows / PAGE) * CALLS_OF_PAGE, 0);

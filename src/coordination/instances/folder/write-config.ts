import path from 'node:path';
import { ColmeiaError } from '../../../platform/errors.ts';
import { COMPANY_FILES, readText, type CompanyFile } from './instance-folder.ts';
import { parseJson, type JsonNode } from './json-text.ts';
import { replaceFile } from './replace-file.ts';

/**
 * Sets one value of a JSON file of a company, at a path of names such as `['jira', 'project_key']`; objects on the way that
 * are not there are made, items of lists are not. The rest of the text stays as the user wrote it. Throws INSTANCE_INVALID when the file is no JSON.
 */
export async function writeConfigValue(
  folder: string,
  file: Exclude<CompanyFile, '.env'>,
  names: readonly (string | number)[],
  value: unknown,
): Promise<void> {
  const { text, mode } = await readText(folder, file, COMPANY_FILES[file]);
  const changed = withJsonValue(text, names, value);
  if (changed === null) {
    const message = `${file} cannot be changed: it is no JSON object, or has something else at ${names.join('.')}`;
    throw new ColmeiaError('INSTANCE_INVALID', message, { faults: [{ path: `${file}: ${names.join('.')}`, message }] });
  }
  if (changed !== text) await replaceFile(path.join(folder, file), changed, mode);
}

/** The text with one value changed; null = it is no JSON, or a value on the way is no object. */
export function withJsonValue(text: string, names: readonly (string | number)[], value: unknown): string | null {
  const { root } = parseJson(text);
  if (root === null) return null;
  let node: JsonNode = root;
  for (const [depth, name] of names.entries()) {
    if (node.kind === 'array' && typeof name === 'number' && name < node.items.length) {
      node = node.items[name]!;
      continue;
    }
    if (node.kind !== 'object' || typeof name !== 'string') return null;
    // Of a doubled name the last one counts.
    const found: JsonNode | undefined = node.members.findLast(({ key }) => key === name)?.node;
    if (found === undefined) return withMember(text, node, name, nested(names.slice(depth + 1), value));
    node = found;
  }
  return text.slice(0, node.start) + shaped(value, indentAt(text, node.start), text) + text.slice(node.end);
}

function nested(names: readonly (string | number)[], value: unknown): unknown {
  return names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
}

/** A member added at the end of an object, in the manner of the one before it. */
function withMember(text: string, owner: JsonNode & { kind: 'object' }, name: string, value: unknown): string {
  const last = owner.members.at(-1)?.node;
  const outer = indentAt(text, owner.start);
  const isOneLine = last !== undefined && !text.slice(owner.start, owner.end).includes('\n');
  const inner = last === undefined ? outer + unitOf(text) : indentAt(text, last.start);
  const member = `${JSON.stringify(name)}: ${shaped(value, inner, text)}`;
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  if (isOneLine) return `${text.slice(0, last.end)}, ${member}${text.slice(last.end)}`;
  const from = last?.end ?? owner.start + 1;
  const end = last === undefined ? `${lineBreak}${outer}}` : '';
  return `${text.slice(0, from)}${last === undefined ? '' : ','}${lineBreak}${inner}${member}${end}${text.slice(last === undefined ? owner.end : from)}`;
}

/** White space before the first thing on the line of an offset. */
function indentAt(text: string, offset: number): string {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  return /^[ \t]*/.exec(text.slice(lineStart, offset))![0];
}

function unitOf(text: string): string {
  return /\n([ \t]+)\S/.exec(text)?.[1] ?? '  ';
}

function shaped(value: unknown, indent: string, text: string): string {
  const lines = JSON.stringify(value, null, unitOf(text)).split('\n');
  return lines.join(`${text.includes('\r\n') ? '\r\n' : '\n'}${indent}`);
}

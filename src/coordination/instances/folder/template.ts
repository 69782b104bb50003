import fs from 'node:fs/promises';
import path from 'node:path';
import { nearestName } from '../../../platform/contracts/nearest-name.ts';
import { ColmeiaError } from '../../../platform/errors.ts';

/** The same place from `src/` and from `dist/`. */
const TEMPLATES = path.resolve(import.meta.dirname, '../../../../templates');

/** What `@@name@@` in a file of a template is replaced with; in JSON a text that is nothing else becomes the value itself. */
export type TemplateValues = {
  name: string;
  display_name: string;
  strategy: string;
  tier: string;
  template: string;
  budget_usd: number | null;
  locale: string;
  /** Of the folder with the JSON Schemas, as the files of the company reach it. */
  schemas: string;
};
/** `path` relative to the folder of the company, with `/`. */
export type TemplateFile = { path: string; text: string };

/** The template whose files every other one has too, unless it has its own. */
const BASE = 'default';

/** Under names that are kept by version control and packages. */
const RENAMED: Record<string, string> = { 'env.template': '.env' };
const TOKEN = /@@([a-z_]*)@@/g;

/** The templates there are. */
export async function listTemplates(): Promise<string[]> {
  const entries = await fs.readdir(TEMPLATES, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** The files of a template, filled in. Throws INVALID_REQUEST for one that is not there; an Error for an unknown token. */
export async function readTemplate(template: string, values: TemplateValues): Promise<TemplateFile[]> {
  const known = await listTemplates();
  if (!known.includes(template)) {
    const near = nearestName(template, known);
    const message = `must be one of ${known.join(', ')}${near === null ? '' : ` (did you mean ${near}?)`}`;
    throw new ColmeiaError('INVALID_REQUEST', `template ${message}`, { faults: [{ path: 'template', message }] });
  }
  const files = new Map<string, TemplateFile>();
  for (const layer of new Set([BASE, template])) {
    for (const file of await filesOf(path.join(TEMPLATES, layer))) {
      const text = await fs.readFile(path.join(TEMPLATES, layer, file), 'utf8');
      const filled = file.endsWith('.json') ? fillJson(text, values, file) : fillText(text, values, file);
      files.set(file, { path: RENAMED[file] ?? file, text: filled });
    }
  }
  return [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await fs.readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

function fillText(text: string, values: TemplateValues, file: string): string {
  return text.replaceAll(TOKEN, (token) => String(valueOf(token, values, file)));
}

function fillJson(text: string, values: TemplateValues, file: string): string {
  const filled: unknown = JSON.parse(text, (_, value: unknown) => {
    if (typeof value !== 'string') return value;
    const [whole] = TOKEN[Symbol.match](value) ?? [];
    return whole === value ? valueOf(whole, values, file) : fillText(value, values, file);
  });
  return `${JSON.stringify(filled, null, 2)}\n`;
}

function valueOf(token: string, values: TemplateValues, file: string): unknown {
  const name = token.slice(2, -2);
  if (Object.hasOwn(values, name)) return values[name as keyof TemplateValues];
  throw new Error(`template file ${file}: ${token} is no token; there are ${Object.keys(values).join(', ')}`);
}

import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { DOCS_STYLE } from './docs-style.ts';
import type { DocSchema } from './operation.ts';

/** The page runs nothing and loads nothing. */
export const DOCS_POLICY = {
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(DOCS_STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
};

type Media = { schema?: Schema; example?: unknown };
type Schema = DocSchema & {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  required?: string[];
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
};
type Parameter = { name: string; in: string; required?: boolean; description?: string; schema?: Schema };
type Described = {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  security?: object[];
  parameters?: Parameter[];
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
};
type Page = {
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Schema> };
};
type Route = { method: string; path: string; operation: Described };

/** The OpenAPI document as one page to read: no scripts, nothing from elsewhere. */
export function renderDocsPage(document: DocSchema): string {
  const { info, tags, paths, components } = document as unknown as Page;
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Route => ({ method: method.toUpperCase(), path, operation })),
  );
  const ofTag = (tag: string): Route[] => routes.filter(({ operation }) => operation.tags[0] === tag);
  const schemas = Object.entries(components.schemas);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(info.title)} API</title><style>${DOCS_STYLE}</style></head>
<body><nav aria-label="Contents"><a href="#top">${escape(info.title)} ${escape(info.version)}</a>
${tags.map(({ name }) => `<h2>${escape(name)}</h2>${ofTag(name).map(contentsEntry).join('')}`).join('\n')}
<h2>Schemas</h2>${schemas.map(([name]) => `<a href="#schema-${escape(name)}">${escape(name)}</a>`).join('')}</nav>
<main id="top"><h1>${escape(info.title)} API</h1>${prose(info.description)}
<p><a href="/openapi.json">OpenAPI 3.1 as JSON</a> · <a href="/openapi.yaml">as YAML</a></p>
${tags.map(({ name, description }) => `<section><h2 id="${escape(name)}">${escape(name)}</h2>${prose(description)}${ofTag(name).map(renderRoute).join('')}</section>`).join('\n')}
<section><h2 id="schemas">Schemas</h2>${schemas.map(renderSchema).join('')}</section></main></body></html>
`;
}

function contentsEntry({ operation }: Route): string {
  return `<a href="#${escape(operation.operationId)}">${escape(operation.summary)}</a>`;
}

function renderRoute(route: Route): string {
  const { method, path, operation } = route;
  const open = operation.security?.length === 0 ? '<span class="open">needs no key</span>' : '';
  return `<article id="${escape(operation.operationId)}"><h3>${escape(operation.summary)}</h3>
<div class="route"><span class="method">${method}</span><span>${escape(path)}</span>${open}</div>
${prose(operation.description ?? '')}${renderParameters(operation.parameters ?? [])}${renderBody(operation)}
<h4>Example</h4>${preformatted(curl(route))}${renderAnswers(operation)}</article>`;
}

function renderParameters(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return '';
  const rows = parameters.map((one) =>
    fieldRow(one.name, { ...one.schema, description: one.description }, one.required === true, `in the ${one.in}`),
  );
  return `<h4>Parameters</h4>${table(rows)}`;
}

function renderBody({ requestBody }: Described): string {
  if (requestBody === undefined) return '';
  const types = Object.keys(requestBody.content).map((type) => `<code>${escape(type)}</code>`);
  const { schema = {} } = Object.values(requestBody.content)[0] ?? {};
  return `<h4>Body${requestBody.required ? '' : ' (optional)'}: ${types.join(', ')}</h4>${renderType(schema)}`;
}

function renderAnswers({ responses }: Described): string {
  const good = Object.entries(responses).filter(([status]) => Number(status) < 400);
  const bad = Object.entries(responses).filter(([status]) => Number(status) >= 400);
  const answers = good.map(([status, { description, content }]) => {
    const { schema, example } = Object.values(content ?? {})[0] ?? {};
    const shown =
      example === undefined
        ? ''
        : preformatted(typeof example === 'string' ? example : JSON.stringify(example, null, 2));
    return `<h4>${status} ${STATUS_CODES[status]}</h4>${prose(description)}${schema === undefined ? '' : renderType(schema)}${shown}`;
  });
  const errors = bad.map(
    ([status, { description }]) => `<tr><td>${status} ${STATUS_CODES[status]}</td><td>${prose(description)}</td></tr>`,
  );
  return `${answers.join('')}<details><summary>Errors</summary>${table(errors)}</details>`;
}

function renderSchema([name, schema]: [string, Schema]): string {
  return `<article id="schema-${escape(name)}"><h3>${escape(name)}</h3>${prose(schema.description ?? '')}${renderType(schema)}</article>`;
}

/** The fields of an object, or the name of what is no object. */
function renderType(schema: Schema): string {
  const parts = schema.allOf ?? [];
  if (parts.length > 0) return parts.map(renderType).join('');
  if (schema.properties === undefined) return `<p>${typeText(schema)}</p>`;
  return table(fieldRows(schema, ''));
}

function fieldRows(schema: Schema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const inner = field.properties ? field : field.items?.properties ? field.items : undefined;
    const row = fieldRow(prefix + name, field, schema.required?.includes(name) === true);
    return inner === undefined ? [row] : [row, ...fieldRows(inner, `${prefix}${name}${field.items ? '[]' : ''}.`)];
  });
}

function fieldRow(name: string, field: Schema, required: boolean, place = ''): string {
  const notes = [place, required ? '<span class="required">required</span>' : '', rangeText(field)].filter(
    (note) => note !== '',
  );
  const description = field.description === undefined ? '' : `<br>${inline(field.description)}`;
  return `<tr><td><code>${escape(name)}</code></td><td>${[typeText(field), ...notes].join(', ')}${description}</td></tr>`;
}

function rangeText({ minimum, maximum, default: otherwise }: Schema): string {
  const range = minimum === undefined || maximum === undefined || maximum > 2 ** 31 ? '' : `${minimum} to ${maximum}`;
  const value =
    otherwise === undefined || otherwise === null ? '' : `default <code>${escape(JSON.stringify(otherwise))}</code>`;
  return [range, value].filter((note) => note !== '').join(', ');
}

function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1)!;
    return `<a href="#schema-${escape(name)}">${escape(name)}</a>`;
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.map(typeText).join(' or ');
  if (schema.enum !== undefined) return schema.enum.map((value) => `<code>${escape(String(value))}</code>`).join(' | ');
  const types = [schema.type ?? 'any'].flat();
  return types.length > 4 ? 'any' : types.map((type) => oneTypeText(type, schema)).join(' or ');
}

function oneTypeText(type: string, { items, additionalProperties }: Schema): string {
  if (type === 'array' && items !== undefined) return `list of ${typeText(items)}`;
  if (type === 'object' && typeof additionalProperties === 'object') return `map to ${typeText(additionalProperties)}`;
  return escape(type);
}

function curl({ method, path, operation }: Route): string {
  const lines = [`curl${method === 'GET' ? '' : ` -X ${method}`} "$COLMEIA${path}"`];
  if (operation.security?.length !== 0) lines.push('-H "Authorization: Bearer $KEY"');
  const example = operation.requestBody?.content['application/json']?.example;
  if (example !== undefined) {
    lines.push(
      `-H 'Content-Type: application/json'`,
      `-d '${JSON.stringify(example, null, 2).replaceAll("'", String.raw`'\''`)}'`,
    );
  }
  return lines.join(' \\\n  ');
}

function table(rows: readonly string[]): string {
  return `<table><tbody>${rows.join('')}</tbody></table>`;
}

function preformatted(text: string): string {
  return `<pre><code>${escape(text)}</code></pre>`;
}

/** Paragraphs, lists of lines that begin with "- ", and `code`. */
function prose(text: string): string {
  return text
    .split('\n\n')
    .filter((part) => part !== '')
    .map((part) =>
      part.startsWith('- ')
        ? `<ul>${part
            .split('\n')
            .map((line) => `<li>${inline(line.slice(2))}</li>`)
            .join('')}</ul>`
        : `<p>${inline(part)}</p>`,
    )
    .join('');
}

function inline(text: string): string {
  return escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char]!);
}

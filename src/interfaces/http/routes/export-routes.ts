import fs from 'node:fs/promises';
import type { Colmeia } from '../../../colmeia.ts';
import { PAGE_QUERY, pageOf } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';
import { BEGUN } from './operation-routes.ts';

const FILE = { file: 'Name of a file in the exports folder of the server.' } as const;
const PATH = '/api/v1/exports/{file}';
const tag = 'instances';

export function exportRoutes({ instances }: Colmeia): Operation[] {
  return [...fileRoutes(instances), ...lifeRoutes(instances)];
}

function lifeRoutes(instances: Colmeia['instances']): Operation[] {
  return [
    operation({
      id: 'exportInstance',
      tag,
      method: 'POST',
      path: '/api/v1/instances/{name}/export',
      summary: 'Write a company into one portable file, without its secrets',
      params: { name: 'Name of the company.' },
      answer: BEGUN,
      errors: ['INSTANCE_NOT_FOUND', 'INSTANCE_STATE', 'INSTANCE_BUSY'],
      run: ({ who, params }) => instances.exportTo(who, params.name),
    }),
    operation({
      id: 'importInstance',
      tag,
      method: 'POST',
      path: '/api/v1/imports',
      summary: 'Make a company out of the file of an export',
      body: {
        schema: {
          type: 'object',
          properties: {
            file: { type: 'string', description: FILE.file },
            name: { type: 'string', description: 'Name of the company; left out: that in the file.' },
            owners: { type: 'boolean', description: "Owners that the file names become the company's. Default false." },
          },
          required: ['file'],
        },
        example: { file: 'padaria-2026-11-21.colmeia', name: 'padaria' },
      },
      answer: BEGUN,
      errors: ['INSTANCE_EXISTS', 'INSTANCE_BUSY', 'INSTANCE_STATE', 'EXPORT_INVALID'],
      run: ({ who, body }) => instances.importFrom(who, body),
    }),
  ];
}

function fileRoutes({ exports: files }: Colmeia['instances']): Operation[] {
  return [
    operation({
      id: 'listExports',
      tag,
      method: 'GET',
      path: '/api/v1/exports',
      summary: 'List the files of exports, by name',
      query: PAGE_QUERY,
      answer: {
        status: 200,
        description: 'A page of files.',
        schema: pageOf('Export'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_STATE'],
      run: ({ who, query }) => files.list(who, query),
    }),
    operation({
      id: 'getExport',
      tag,
      method: 'GET',
      path: PATH,
      summary: 'Download the file of an export',
      params: FILE,
      answer: {
        status: 200,
        description: 'The file.',
        contentType: 'application/octet-stream',
        schema: { type: 'string', format: 'binary' },
      },
      errors: ['INSTANCE_STATE'],
      run: async ({ who, params, reply }) => {
        const handle = await fs.open(await files.path(who, params.file));
        const { size } = await handle.stat();
        reply.type('application/octet-stream').header('content-length', size);
        reply.header('content-disposition', 'attachment');
        return handle.createReadStream();
      },
    }),
    operation({
      id: 'removeExport',
      tag,
      method: 'DELETE',
      path: PATH,
      summary: 'Remove the file of an export',
      params: FILE,
      answer: { status: 204, description: 'Removed.' },
      errors: ['INSTANCE_STATE'],
      run: ({ who, params }) => files.remove(who, params.file),
    }),
  ];
}

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { Secret } from '../../../platform/secret.ts';
import { layOutCompany, temporaryInstances } from './company-folder.testing.ts';
import { movePlainSecrets } from './move-secrets.ts';
import { readFolder } from './read-folder.ts';

async function companyWithSecrets(): Promise<string> {
  const folder = await layOutCompany(temporaryInstances());
  fs.appendFileSync(
    path.join(folder, '.env'),
    'SUPABASE_ACCESS_TOKEN=sbp_hunter2 # mine\nLANGUAGE=pt\nHOOK=https://u:hunter2@h/\n',
  );
  const mcp = {
    mcpServers: {
      github: { command: 'gh', args: ['mcp', '--token=hunter2x'], env: { GITHUB_TOKEN: 'hunter2y', LEVEL: 'info' } },
      other: { url: 'https://o.example', headers: { Authorization: 'Bearer hunter2zz' } },
    },
  };
  fs.writeFileSync(path.join(folder, 'mcp.json'), JSON.stringify(mcp));
  fs.writeFileSync(
    path.join(folder, 'atlassian.config.json'),
    '{"jira": {"project_key": "ACME"}, "api_token": "hunter2w"}',
  );
  return folder;
}

describe('movePlainSecrets', () => {
  it('takes every plain secret out of the files, under names that say where it stood', async () => {
    const folder = await companyWithSecrets();
    const kept = new Map<string, string>();
    const moved = await movePlainSecrets(folder, async (name, value) => void kept.set(name, value.reveal()));
    assert.deepEqual(Object.fromEntries(kept), {
      supabase_access_token: 'sbp_hunter2',
      hook: 'https://u:hunter2@h/',
      atlassian_api_token: 'hunter2w',
      mcp_github_args_1: '--token=hunter2x',
      mcp_github_github_token: 'hunter2y',
      mcp_other_authorization: 'Bearer hunter2zz',
    });
    assert.deepEqual(moved, [...kept.keys()].sort());
    for (const name of fs.readdirSync(folder).filter((file) => /json$|env$/.test(file)))
      assert.doesNotMatch(fs.readFileSync(path.join(folder, name), 'utf8'), /hunter2/, name);
    assert.match(fs.readFileSync(path.join(folder, '.env'), 'utf8'), /TOKEN=secret:supabase_access_token # mine\nLANG/);
    assert.deepEqual((await readFolder(folder)).faults, []);
    assert.deepEqual(await movePlainSecrets(folder, () => assert.fail('nothing is left to move')), []);
  });

  it('gives the names that reading promised', async () => {
    const folder = await companyWithSecrets();
    const promised = (await readFolder(folder)).secrets.filter((secret) => secret.plain).map((secret) => secret.name);
    assert.deepEqual(await movePlainSecrets(folder, async () => {}), promised.sort());
  });

  it('changes no file before its secrets are stored, so that a repeat does the rest', async () => {
    const folder = await companyWithSecrets();
    const kept = new Map<string, Secret>();
    const failing = async (name: string, value: Secret): Promise<void> => {
      if (kept.size === 3) throw new Error('the store is away');
      kept.set(name, value);
    };
    await assert.rejects(movePlainSecrets(folder, failing), /away/);
    assert.match(fs.readFileSync(path.join(folder, 'mcp.json'), 'utf8'), /hunter2x/);
    await movePlainSecrets(folder, async (name, value) => void kept.set(name, value));
    assert.equal(kept.size, 6);
  });

  it('stores nothing when two files have different values for one name', async () => {
    const folder = await companyWithSecrets();
    fs.appendFileSync(path.join(folder, '.env'), 'ATLASSIAN_API_TOKEN=another\n');
    await assert.rejects(
      movePlainSecrets(folder, () => assert.fail('nothing is to be stored')),
      { code: 'INSTANCE_INVALID', message: /"atlassian_api_token" than \.env/ },
    );
  });

  it('writes over nothing that a person changed meanwhile', async () => {
    const folder = await companyWithSecrets();
    const file = path.join(folder, '.env');
    const edited = 'SUPABASE_ACCESS_TOKEN=sbp_other\n';
    await assert.rejects(
      movePlainSecrets(folder, async () => fs.writeFileSync(file, edited)),
      { code: 'INSTANCE_INVALID' },
    );
    assert.equal(fs.readFileSync(file, 'utf8'), edited);
  });
});

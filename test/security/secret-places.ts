import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import zlib from 'node:zlib';
import { withEnvValues } from '../../src/coordination/instances/folder/env-file.ts';
import { Secret } from '../../src/platform/secret.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import { thirtySecrets } from './planted-secrets.ts';
import { completed } from '../instances/life.conformance.ts';
import type { SecretWorld } from './secret-world.ts';

/** Somewhere a company can hold secrets. `plant` puts some there and says which. */
export type SecretPlace = { name: string; plant(world: SecretWorld): Promise<string[]> };

const named = (secrets: readonly string[]): [string, string][] => secrets.map((value, n) => [`token_${n}`, value]);

/** Every place that there is: what can hold a secret has a line here. */
export const SECRET_PLACES: readonly SecretPlace[] = [
  {
    name: 'secret store over REST',
    async plant({ call, found }) {
      await found('rest');
      const secrets = thirtySecrets();
      for (const [name, value] of named(secrets))
        await call('PUT', `/api/v1/instances/rest/secrets/${name}`, { value }, 200);
      return secrets;
    },
  },
  {
    name: 'secrets of the fleet over REST',
    async plant({ call }) {
      const secrets = thirtySecrets();
      for (const [name, value] of named(secrets)) await call('PUT', `/api/v1/secrets/${name}`, { value }, 200);
      return secrets;
    },
  },
  {
    name: 'secret store by the CLI',
    async plant({ cli, found, home }) {
      await found('cli');
      const secrets = thirtySecrets();
      for (const [name, value] of named(secrets)) {
        if (name.endsWith('3')) {
          const file = path.join(home, `${name}.txt`);
          await fs.writeFile(file, `${value}\n`, { mode: 0o600 });
          await cli(['secrets', 'set', name, '--instance', 'cli', '--from-file', file]);
          await fs.rm(file);
        } else await cli(['secrets', 'set', name, '--instance', 'cli'], `${value}\n`);
      }
      return secrets;
    },
  },
  {
    name: 'secret store by the library, set twice',
    async plant({ colmeia, found }) {
      await found('library');
      const secrets = [...thirtySecrets(), ...thirtySecrets()];
      for (const [n, value] of secrets.entries()) {
        const ref = { instance: 'library', secret: `token_${n % 30}` };
        await colmeia.secrets.set(LOCAL_OPERATOR, ref, { value: n % 2 === 0 ? value : new Secret(value) });
      }
      return secrets;
    },
  },
  {
    name: 'secrets after rotations and a removal',
    async plant({ colmeia, found }) {
      await found('rotated');
      const secrets = thirtySecrets();
      for (const [secret, value] of named(secrets))
        await colmeia.secrets.set(LOCAL_OPERATOR, { instance: 'rotated', secret }, { value });
      await colmeia.secrets.rotate(LOCAL_OPERATOR, { instance: 'rotated' });
      await colmeia.secrets.rotateMaster(LOCAL_OPERATOR);
      await colmeia.secrets.remove(LOCAL_OPERATOR, { instance: 'rotated', secret: 'token_0' });
      return secrets;
    },
  },
  {
    name: 'secrets in the files of a company, which its init moves into the store',
    async plant({ colmeia, home }) {
      await colmeia.instances.create(LOCAL_OPERATOR, { name: 'files' });
      const secrets = await writeFiles(path.join(home, 'instances', 'files'));
      await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'files'));
      return secrets;
    },
  },
  {
    name: 'secrets of a company that is cloned and exported',
    async plant({ colmeia, home, left }) {
      await colmeia.instances.create(LOCAL_OPERATOR, { name: 'source' });
      const folder = path.join(home, 'instances');
      const secrets = await writeFiles(path.join(folder, 'source'));
      await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'source'));
      await completed(colmeia, colmeia.instances.clone(LOCAL_OPERATOR, 'source', { target: 'copy' }));
      for (const file of await fs.readdir(path.join(folder, 'copy'), { recursive: true, withFileTypes: true }))
        if (file.isFile()) left.answers += await fs.readFile(path.join(file.parentPath, file.name), 'utf8');
      await completed(colmeia, colmeia.instances.exportTo(LOCAL_OPERATOR, 'source'));
      const { items } = await colmeia.instances.exports.list(LOCAL_OPERATOR, {});
      const file = await fs.readFile(await colmeia.instances.exports.path(LOCAL_OPERATOR, items[0]!.file));
      const text = zlib.zstdDecompressSync(file).toString();
      assert.match(text, /token_0_key/, 'the export names what it does not hold');
      left.answers += text;
      return secrets;
    },
  },
  {
    name: 'files of a company that has had no init',
    async plant({ colmeia, home }) {
      await colmeia.instances.create(LOCAL_OPERATOR, { name: 'untouched' });
      const secrets = await writeFiles(path.join(home, 'instances', 'untouched'));
      await colmeia.instances.validate(LOCAL_OPERATOR, 'untouched');
      return secrets;
    },
  },
  {
    name: 'keys',
    async plant({ colmeia, found }) {
      await found('keyed');
      const made = [
        await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator' }),
        await colmeia.keys.create(LOCAL_OPERATOR, {
          kind: 'company',
          instance: 'keyed',
          subject: 'user:ana@acme.example',
        }),
        await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'agent', agent_id: 'builder' }),
      ];
      made.push(await colmeia.keys.rotate(LOCAL_OPERATOR, made[1]!.key_id, {}));
      await colmeia.keys.revoke(LOCAL_OPERATOR, made[0]!.key_id);
      for (const { key } of made) await colmeia.keys.authenticate(key);
      return made.flatMap(({ key, key_id }) => [key, key.slice(`colmeia_${key_id}_`.length)]);
    },
  },
  {
    name: 'environment of the server and of its agents',
    async plant({ env }) {
      const secrets = thirtySecrets().filter((secret) => !secret.includes('\n'));
      for (const [name, value] of named(secrets)) env[name.toUpperCase()] = value;
      env.COLMEIA_SECRETS_KEY = secrets[0];
      env.DATABASE_URL = secrets[1];
      return secrets;
    },
  },
  {
    name: 'what configured agents sign with, and are allowed to see',
    async plant({ home, env, agents }) {
      const secrets = thirtySecrets();
      await fs.mkdir(path.join(home, AGENT_SECRETS));
      for (const [name, value] of named(secrets)) {
        await fs.writeFile(path.join(home, AGENT_SECRETS, name), value, { mode: 0o600 });
        agents.push({
          agent_id: `caller-${name}`,
          kind: 'http',
          task_types: ['TEST'],
          capabilities: [name],
          secret: { file: path.join(AGENT_SECRETS, name) },
        });
      }
      env.ALLOWED_TOKEN = `allowed ${secrets[8]!}`;
      return [...secrets, env.ALLOWED_TOKEN];
    },
  },
  {
    name: 'the master key',
    async plant({ home }) {
      const text = await fs.readFile(path.join(home, 'secrets.key'), 'utf8');
      return [text.trim()];
    },
  },
];

/** Files in which the secret of a place has to be, and so is not looked for. */
export const isKeyFile = (file: string): boolean => KEY_FILES.includes(file) || file.startsWith(`${AGENT_SECRETS}/`);
const AGENT_SECRETS = 'agent-secrets';
const KEY_FILES = [
  'secrets.key',
  'secrets.key.old',
  'operator.key',
  'instances/untouched/.env',
  'instances/untouched/mcp.json',
];

/** Half of thirty secrets into `.env`, half into `mcp.json`, as people write them. */
async function writeFiles(folder: string): Promise<string[]> {
  const secrets = thirtySecrets();
  const [variables, servers] = [named(secrets.slice(0, 15)), named(secrets.slice(15))];
  const lines = variables.map(([name]) => `${name.toUpperCase()}_KEY=\n`).join('');
  const values = new Map(variables.map(([name, value]) => [`${name.toUpperCase()}_KEY`, value]));
  await fs.writeFile(path.join(folder, '.env'), withEnvValues(lines, values), { mode: 0o600 });
  const mcpServers = Object.fromEntries(
    servers.map(([name, value]) => [name, { command: 'node', args: ['server.js'], env: { API_TOKEN: value } }]),
  );
  await fs.writeFile(path.join(folder, 'mcp.json'), JSON.stringify({ mcpServers }), { mode: 0o600 });
  return secrets;
}

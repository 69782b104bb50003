import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { readClientConfig, readConfig, VARIABLES } from './config.ts';
import type { Fault } from './errors.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-config-'));
after(() => fs.rmSync(folder, { recursive: true }));

function faultsOf(env: Record<string, string>): Fault[] {
  try {
    readConfig(env, folder);
  } catch (error) {
    return (error as { faults: Fault[] }).faults;
  }
  return [];
}

describe('readConfig', () => {
  it('takes the master key of the secrets from one place, and never repeats it', () => {
    assert.equal(readConfig({}, folder).secretsKey, null);
    const given = readConfig({ COLMEIA_SECRETS_KEY: 'hunter2' }, folder);
    assert.equal(given.secretsKey?.value?.reveal(), 'hunter2');
    assert.ok(!inspect(given, { depth: 9 }).includes('hunter2'));
    assert.equal(
      readConfig({ COLMEIA_SECRETS_KEY_FILE: 'a.key' }, folder).secretsKey?.file,
      path.join(folder, 'a.key'),
    );
    const faults = faultsOf({
      COLMEIA_SECRETS_KEY: 'hunter2',
      COLMEIA_SECRETS_KEY_FILE: 'a.key',
      COLMEIA_SECRETS_KEY_COMMAND: 'vault read',
    });
    assert.deepEqual(
      faults.map((fault) => fault.path),
      ['COLMEIA_SECRETS_KEY_FILE'],
    );
    assert.ok(!JSON.stringify(faults).includes('hunter2'));
    const [lonely] = faultsOf({ COLMEIA_SECRETS_KEY_OLD_FILE: 'old.key' });
    assert.equal(lonely?.path, 'COLMEIA_SECRETS_KEY_OLD_FILE');
  });

  it('gives the defaults of the contract for an empty environment', () => {
    const config = readConfig({}, folder);
    assert.equal(config.home, path.join(folder, '.colmeia'));
    assert.deepEqual(
      [config.host, config.port, config.databaseUrl, config.instance],
      ['127.0.0.1', 7420, null, 'default'],
    );
    assert.deepEqual(
      [config.leaseDurationMs, config.heartbeatIntervalMs, config.retryBaseMs, config.retryMaxMs],
      [30_000, 10_000, 1_000, 60_000],
    );
    assert.deepEqual(
      [config.maxPlanTasks, config.maxOpenTicketsPerCompany, config.maxBodyBytes, config.slaDefaultTimeoutMs],
      [10_000, 100_000, 8_388_608, 3_600_000],
    );
    assert.deepEqual([config.logLevel, config.warnings], ['info', []]);
  });

  it('names every fault at once, with the variable as its path', () => {
    const faults = faultsOf({
      COLMEIA_PORT: '70000',
      COLMEIA_LEASE_DURATION_MS: 'soon',
      LOG_LEVEL: 'loud',
      COLMEIA_PROT: '1',
      DATABASE_URL: 'mysql://u:hunter2@h/d',
    });
    assert.deepEqual(
      faults.map((fault) => fault.path),
      ['COLMEIA_PORT', 'DATABASE_URL', 'COLMEIA_LEASE_DURATION_MS', 'LOG_LEVEL', 'COLMEIA_PROT'],
    );
    assert.match(faults[0]!.message, /from 0 to 65535, not "70000"/);
    assert.match(faults[4]!.message, /did you mean COLMEIA_PORT\?/);
    assert.doesNotMatch(JSON.stringify(faults), /hunter2/);
  });

  it('lets the largest plan be taken: its company may have as many open tickets', () => {
    const [fault] = faultsOf({ COLMEIA_MAX_OPEN_TICKETS: '9999' });
    assert.equal(fault!.path, 'COLMEIA_MAX_OPEN_TICKETS');
    assert.match(fault!.message, /not be less than COLMEIA_MAX_PLAN_TASKS \(10000\)/);
    assert.equal(readConfig({ COLMEIA_MAX_PLAN_TASKS: '200000' }, folder).maxOpenTicketsPerCompany, 200_000);
  });

  it('refuses a heartbeat that is too late for its lease, and a cap below the first wait', () => {
    assert.match(
      faultsOf({ COLMEIA_LEASE_DURATION_MS: '5000' })[0]!.message,
      /less than COLMEIA_LEASE_DURATION_MS \(5000\)/,
    );
    assert.equal(faultsOf({ COLMEIA_RETRY_BASE_MS: '90000' })[0]!.path, 'COLMEIA_RETRY_MAX_MS');
  });

  it('reads .env below the real environment, and finds faults in it', () => {
    const cwd = fs.mkdtempSync(path.join(folder, 'dotenv-'));
    fs.writeFileSync(
      path.join(cwd, '.env'),
      'COLMEIA_PORT=8000\nCOLMEIA_HOST="0.0.0.0" # everywhere\nCOLMEIA_HOME=store\n',
    );
    const config = readConfig({ COLMEIA_PORT: '9000' }, cwd);
    assert.deepEqual([config.port, config.host, config.home], [9000, '0.0.0.0', path.join(cwd, 'store')]);
    fs.appendFileSync(path.join(cwd, '.env'), 'COLMEIA_HOTS=1\n');
    assert.throws(() => readConfig({}, cwd), { code: 'CONFIG_INVALID' });
  });

  it('takes a scheduling policy as a name, or as a file of JSON, whose faults name it', () => {
    const file = path.join(folder, 'policy.json');
    fs.writeFileSync(file, '{ "preset": "fairness", "lag_seconds": 5 }');
    assert.deepEqual(readConfig({ COLMEIA_SCHEDULING: 'round-robin' }, folder).scheduling, { preset: 'round-robin' });
    assert.deepEqual(readConfig({ COLMEIA_SCHEDULING: './policy.json' }, folder).scheduling, {
      preset: 'fairness',
      lag_seconds: 5,
    });
    for (const text of ['[1]', '{']) {
      fs.writeFileSync(file, text);
      const [fault, ...others] = faultsOf({ COLMEIA_SCHEDULING: file });
      assert.deepEqual([fault!.path, others], ['COLMEIA_SCHEDULING', []]);
      assert.ok(fault!.message.startsWith(file), fault!.message);
    }
  });

  it('builds the database URL from POSTGRES_*, escaped', () => {
    const url = readConfig(
      { POSTGRES_HOST: 'db', POSTGRES_USER: 'me@home', POSTGRES_PASSWORD: 'p/w:d' },
      folder,
    ).databaseUrl!;
    assert.equal(url.reveal(), 'postgresql://me%40home:p%2Fw%3Ad@db:5432/colmeia');
    assert.equal(
      readConfig({ POSTGRES_HOST: '/run/pg', POSTGRES_DATABASE: 'x' }, folder).databaseUrl!.reveal(),
      'postgresql://colmeia@localhost:5432/x?host=%2Frun%2Fpg',
    );
  });

  it('warns of POSTGRES_* that do not count', () => {
    assert.match(readConfig({ POSTGRES_PASSWORD: 'x' }, folder).warnings[0]!, /POSTGRES_HOST, which is not set/);
    assert.match(
      readConfig({ POSTGRES_HOST: 'a', DATABASE_URL: 'postgres://b/c' }, folder).warnings[0]!,
      /DATABASE_URL counts/,
    );
  });

  it('lets no secret out by inspect, JSON or a template', () => {
    const config = readConfig({ DATABASE_URL: 'postgresql://u:hunter2@h/d' }, folder);
    for (const text of [
      inspect(config, { depth: 9, showHidden: true }),
      JSON.stringify(config),
      `${config.databaseUrl}`,
    ]) {
      assert.doesNotMatch(text, /hunter2/);
    }
  });

  it('takes the level names that other loggers use', () => {
    assert.equal(readConfig({ LOG_LEVEL: 'WARNING' }, folder).logLevel, 'warn');
  });
});

describe('readClientConfig', () => {
  it('is not stopped by a fault of the server’s own variables', () => {
    const config = readClientConfig({ COLMEIA_PORT: 'x', COLMEIA_ADDRESS: 'http://h:1/', COLMEIA_KEY: 'k' }, folder);
    assert.deepEqual([config.address, config.key!.reveal()], ['http://h:1', 'k']);
  });
});

it('docs/configuration.md names every variable with its default', () => {
  const doc = fs.readFileSync(path.join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
  for (const [name, value] of Object.entries(VARIABLES)) {
    const row = doc.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
    assert.ok(row, `docs/configuration.md has no row for ${name}`);
    if (value !== '') assert.ok(row.includes(`\`${value}\``), `the row of ${name} does not say its default ${value}`);
  }
});

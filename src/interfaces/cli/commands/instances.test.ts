import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createColmeia, LOCAL_OPERATOR, type Colmeia } from '../../../index.ts';
import { startHttpServer, type HttpServer } from '../../http/server.ts';
import { runAt, type More } from '../cli.testing.ts';

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-cli-instances-'));
let colmeia: Colmeia;
let server: HttpServer;
const cli = (args: string[], more: More = {}) => runAt(home, args, more);
const json = async (...args: string[]) => JSON.parse((await cli([...args, '--json'])).out);
const folderOf = (name: string): string => path.join(home, 'instances', name);

before(async () => {
  colmeia = await createColmeia({ instancesFolder: path.join(home, 'instances') });
  server = await startHttpServer({ colmeia, port: 0 });
  const { key } = await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator' });
  fs.writeFileSync(path.join(home, 'operator.key'), key);
  fs.writeFileSync(path.join(home, 'address'), `${server.address}\n`);
});
after(async () => {
  await server.close();
  await colmeia.close();
  fs.rmSync(home, { recursive: true, force: true });
});

describe('colmeia instance', () => {
  it('leads a company from its founding to its end', async () => {
    const created = await cli([
      'instance',
      'create',
      'acme',
      '--strategy',
      'schema',
      '--tier',
      'gold',
      '--budget-usd',
      '50',
    ]);
    assert.equal(created.out, 'company acme created (schema, gold)\n');
    assert.ok(created.err.includes(folderOf('acme')) && created.err.includes('instance init acme'), created.err);
    const init = await cli(['instance', 'init', 'acme']);
    assert.equal(init.exit, 0, init.err);
    assert.match(init.err, / done +database +.*schema/);
    assert.match(init.out, /^init of acme: done in [^]*off +jira: off: no Atlassian site[^]*health +healthy\n$/);
    fs.mkdirSync(path.join(folderOf('acme'), 'seeds'), { recursive: true });
    fs.writeFileSync(path.join(folderOf('acme'), 'seeds', 'one.sql'), 'select 1;');
    assert.equal((await cli(['instance', 'seed', 'acme'])).out, 'company/one\n');
    assert.deepEqual(
      [(await cli(['seed', 'acme'])).out, (await cli(['seed', 'acme'])).err],
      ['', 'company acme: no seed is new\n'],
    );
    assert.match(
      (await cli(['instance', 'show', 'acme'])).out,
      /state +active\n[^]*budget +50\.00 USD a month\n[^]*has +schema /,
    );
    assert.match((await cli(['instance', 'stats', 'acme'])).out, /database +\d+ tables, \d+ rows/);
    assert.equal(
      (await cli(['instance', 'set', 'acme', '--budget-usd', 'none'])).out,
      'company acme: gold, no budget\n',
    );
    assert.equal((await cli(['instance', 'rename', 'acme', 'acme-two'])).exit, 0);
    assert.equal((await cli(['instance', 'show', 'acme'])).exit, 3);
    const removed = await cli(['instance', 'delete', 'acme-two', '--yes', '--no-export']);
    assert.equal(removed.exit, 0, removed.err);
    assert.match(
      removed.out,
      /delete of acme-two: done[^]*removed +schema [^]*removed +files \d+\n[^]*rows +.*instance 1/,
    );
    assert.equal(fs.existsSync(folderOf('acme-two')), false);
    assert.equal((await cli(['instance', 'show', 'acme-two'])).exit, 3);
  });

  it('lists companies by state and health, with figures', async () => {
    await cli(['instance', 'create', 'listed']);
    assert.equal((await cli(['instance', 'pause', 'listed', '--reason', 'holidays'])).out, 'company listed: paused\n');
    const { out } = await cli(['instances', '--state', 'paused']);
    assert.match(
      out,
      /^COMPANY +STATE .*OPEN +DONE +FAILED[^]*\nlisted +paused \(no init\) .* hybrid +bronze +0 +0 +0 /,
    );
    assert.equal(out.trim().split('\n').length, 2);
    assert.match((await cli(['audit', '--instance', 'listed', '--type', 'instance.paused'])).out, /holidays/);
    assert.equal((await cli(['instance', 'resume', 'listed'])).out, 'company listed: active\n');
    assert.match((await cli(['instances', '--state', 'asleep'])).err, /Allowed: active, paused, deleting/);
  });

  it('refuses names by the rule, with every other fault, and exits with 4', async () => {
    const { exit, err } = await cli(['instance', 'create', '../x', '--template', 'none']);
    assert.equal(exit, 4);
    assert.match(err, /name: must be 1 to 40 lower-case letters[^]*template: must be one of/);
  });

  it('prints every fault of a company with its remedy, and exits with 1 when one is an error', async () => {
    await cli(['instance', 'create', 'faulty']);
    const fine = await cli(['instance', 'validate', 'faulty']);
    assert.equal(fine.exit, 0, fine.out);
    assert.match(fine.err, /jira: off: no Atlassian site/);
    fs.writeFileSync(path.join(folderOf('faulty'), 'mcp.json'), '{');
    fs.chmodSync(path.join(folderOf('faulty'), '.env'), 0o644);
    const { exit, out } = await cli(['instance', 'validate', 'faulty']);
    assert.equal(exit, 1);
    assert.match(out, /^company faulty: unhealthy\nSEVERITY +CODE +PLACE/);
    assert.match(out, /error +ENV_OPEN +\.env .*chmod 600/);
    assert.match(out, /error +JSON_INVALID +mcp\.json/);
  });

  it('asks for the name before it deletes, and takes no other answer than --yes without a terminal', async () => {
    await cli(['instance', 'create', 'kept']);
    const refused = await cli(['instance', 'delete', 'kept'], { input: 'kept\n' });
    assert.equal(refused.exit, 2);
    assert.match(refused.err, /needs --yes/);
    assert.equal((await cli(['instance', 'show', 'kept'])).exit, 0);
    assert.equal((await cli(['instance', 'delete', 'nobody', '--yes'])).exit, 3);
  });

  it('shows where folders and registry differ, and takes over what folders say', async () => {
    await cli(['instance', 'create', 'drifted']);
    const file = path.join(folderOf('drifted'), 'config.json');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"bronze"', '"gold"'));
    const shown = await cli(['instance', 'reconcile', 'drifted', '--dry-run']);
    assert.match(shown.out, /drifted +tier +bronze +gold/);
    assert.equal((await json('instance', 'show', 'drifted')).tier, 'bronze');
    assert.equal((await cli(['instance', 'reconcile', 'drifted'])).exit, 0);
    assert.equal((await json('instance', 'show', 'drifted')).tier, 'gold');
    assert.equal((await cli(['instance', 'reconcile', 'drifted'])).err, 'Nothing differs.\n');
  });

  it('keeps owners', async () => {
    await cli(['instance', 'create', 'owned']);
    assert.equal((await cli(['instance', 'owners', 'owned'])).err, 'It has no owners.\n');
    assert.match(
      (await cli(['instance', 'owners', 'owned', '--add', 'user:ana@acme.example'])).out,
      /user:ana@acme\.example/,
    );
    assert.equal((await cli(['instance', 'owners', 'owned', '--add', 'ana'])).exit, 4);
    assert.equal((await cli(['instance', 'owners', 'owned', '--remove', 'user:ana@acme.example'])).out, '');
  });
});

describe('copies of a company', () => {
  before(async () => {
    await cli(['instance', 'create', 'source', '--template', 'shop']);
    assert.equal((await cli(['instance', 'init', 'source'])).exit, 0);
  });

  it('are planned without being made', async () => {
    const { exit, out, err } = await cli(['instance', 'clone', 'source', 'copy', '--dry-run']);
    assert.deepEqual([exit, err], [0, 'Nothing was changed.\n']);
    assert.match(out, /^STEP +ROWS +SIZE +CALLS +WHAT\n[^]*\nrows +\d+ +\d+\.\d kB +- +of \d+ tables\n/);
    assert.equal((await cli(['instance', 'show', 'copy'])).exit, 3);
    assert.equal((await cli(['instance', 'clone', 'source', 'default', '--dry-run'])).exit, 4);
  });

  it('come with a proof', async () => {
    const { exit, out, err } = await cli(['instance', 'clone', 'source', 'copy']);
    assert.equal(exit, 0, err);
    assert.match(out, /^clone of copy: done in [^]*proof +holds\n[^]*database +equal: \d+ tables with \d+ rows/);
    const undone = await cli([
      'instance',
      'operation',
      (await json('instance', 'operations', 'copy')).items[0].id,
      '--undo',
    ]);
    assert.equal(undone.exit, 0, undone.err);
    assert.match(undone.err, /the clone of copy was taken back/);
    assert.equal((await cli(['instance', 'show', 'copy'])).exit, 3);
  });

  it('are written into a file, which is listed, downloaded, made a company of, and removed', async () => {
    await cli(['instance', 'owners', 'source', '--add', 'user:ana@acme.example']);
    const written = await json('instance', 'export', 'source');
    const { file, bytes } = written.result as { file: string; bytes: number };
    assert.match((await cli(['instance', 'exports'])).out, new RegExp(`${file} +source +`));
    const downloaded = await cli(['instance', 'exports', '--download', file]);
    assert.equal(downloaded.out, `${path.join(home, file)}\n`);
    assert.equal(fs.statSync(path.join(home, file)).size, bytes);
    assert.match((await cli(['instance', 'exports', '--download', file])).err, /is there already/);
    const imported = await cli(['instance', 'import', path.join('exports', file), '--name', 'imported', '--owners']);
    assert.equal(imported.exit, 0, imported.err);
    const { initialized, owners } = await json('instance', 'show', 'imported');
    assert.deepEqual([initialized, owners], [true, ['user:ana@acme.example']]);
    assert.equal((await cli(['instance', 'exports', '--remove', file])).exit, 0);
    assert.equal((await cli(['instance', 'exports'])).err, 'Nothing found.\n');
    assert.equal((await cli(['instance', 'exports', '--download', file])).exit, 4);
  });
});

describe('operations', () => {
  it('that fail say how to go on, are gone on with, and are listed with their steps', async () => {
    await cli(['instance', 'create', 'broken']);
    const file = path.join(folderOf('broken'), 'mcp.json');
    const good = fs.readFileSync(file, 'utf8');
    fs.writeFileSync(file, '{');
    const { exit, err } = await cli(['instance', 'init', 'broken']);
    assert.equal(exit, 1);
    const [, id = ''] = /colmeia instance operation (\S+) --resume/.exec(err) ?? [];
    assert.match(err, /failed +files[^]*the init of broken failed: .*INSTANCE_INVALID/);
    assert.match(
      (await cli(['instance', 'operation', id])).out,
      /^init of broken, by operator:\w+: failed\n[^]*files +failed/,
    );
    fs.writeFileSync(file, good);
    const resumed = await cli(['instance', 'operation', id, '--resume']);
    assert.equal(resumed.exit, 0, resumed.err);
    assert.match(
      (await cli(['instance', 'operations', 'broken'])).out,
      new RegExp(`${id} +broken +init +completed +(\\d+)/\\1 `),
    );
    assert.equal((await cli(['instance', 'operation', id, '--resume'])).exit, 4);
    assert.equal((await cli(['instance', 'operation', id, '--resume', '--undo'])).exit, 2);
    assert.equal((await cli(['instance', 'operation', 'no-such'])).exit, 3);
  });

  it('are not waited for with --no-wait, and followed later', async () => {
    await cli(['instance', 'create', 'later']);
    const { out, err } = await cli(['instance', 'init', 'later', '--no-wait']);
    assert.match(out, /^\w+-\w+\n$/);
    assert.equal(err, '');
    const followed = await cli(['instance', 'operation', out.trim(), '--follow']);
    assert.equal(followed.exit, 0);
    assert.match(followed.out, /init of later/);
    assert.equal((await json('instance', 'show', 'later')).initialized, true);
  });

  it('go on when who follows them is interrupted, which is told', async () => {
    await cli(['instance', 'create', 'interrupted']);
    const stop = new AbortController();
    const onNote = (err: string): void => {
      if (err.includes('done')) stop.abort();
    };
    const { exit, err } = await cli(['instance', 'init', 'interrupted'], { signal: stop.signal, onNote });
    assert.equal(exit, 1);
    const [, id = ''] = /goes on: colmeia instance operation (\S+) --follow/.exec(err) ?? [];
    assert.equal((await cli(['instance', 'operation', id, '--follow'])).exit, 0);
  });

  it('print one document with --json', async () => {
    await cli(['instance', 'create', 'documented']);
    const operation = await json('instance', 'init', 'documented');
    assert.deepEqual([operation.kind, operation.state, operation.error], ['init', 'completed', null]);
  });
});

describe('the selected company', () => {
  it('is meant by commands that name none, until another one is named', async () => {
    await cli(['instance', 'create', 'chosen']);
    assert.equal((await cli(['instance', 'select', 'nobody'])).exit, 3);
    assert.equal((await cli(['instance', 'select', 'chosen'])).out, 'company chosen is selected (instance select)\n');
    assert.equal((await json('instance', 'show')).name, 'chosen');
    await cli(['secrets', 'set', 'token'], { input: 'abcdefgh' });
    assert.match((await cli(['secrets'])).out, /token/);
    assert.deepEqual((await json('secrets', 'list', '--instance', 'all')).items, []);
    assert.equal((await json('instance', 'show', '--instance', 'default')).name, 'default');
    const env = { INSTANCE_NAME: 'default' };
    assert.match((await cli(['instance', 'show'], { env })).out, /^company +default\n/);
    const lost = await cli(['plan', 'nope']);
    assert.match(lost.err, /company chosen is selected \(instance select\), --instance all looks everywhere/);
    assert.equal((await cli(['instance', 'select', '--none'])).out, 'no company is selected\n');
    assert.equal((await json('instance', 'show')).name, 'default');
  });

  it('goes along with a new name, and is forgotten when it is deleted', async () => {
    await cli(['instance', 'create', 'first-name']);
    await cli(['instance', 'select', 'first-name']);
    await cli(['instance', 'rename', 'first-name', 'second-name']);
    assert.equal((await json('instance', 'select')).selected, 'second-name');
    await cli(['instance', 'delete', 'second-name', '--yes', '--no-export']);
    assert.equal((await json('instance', 'select')).selected, null);
  });

  it('does not change whose a plan is that says it', async () => {
    await cli(['instance', 'create', 'elsewhere']);
    await cli(['instance', 'select', 'elsewhere']);
    const file = path.join(import.meta.dirname, '../../../../examples/release/decision.json');
    const decision = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
    const run = async (metadata: Record<string, string>, plan_id: string) => {
      const cognitive_plan = { ...(decision.cognitive_plan as object), plan_id };
      const input = JSON.stringify({ ...decision, plan_id, decision_id: plan_id, cognitive_plan, metadata });
      return JSON.parse((await cli(['run', '-', '--json'], { input })).out).instance;
    };
    assert.equal(await run({ instance: 'default' }, 'says'), 'default');
    assert.equal(await run({}, 'says-nothing'), 'elsewhere');
    const { items } = await json('plans');
    assert.deepEqual(
      items.map(({ plan_id }: { plan_id: string }) => plan_id),
      ['says-nothing'],
    );
    await cli(['instance', 'select', '--none']);
  });
});

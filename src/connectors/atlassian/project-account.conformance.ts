import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  type CopyCounts,
  type CopyMemory,
  NEW_COPY,
  type PortableRecord,
  type ProjectAccount,
} from '../../coordination/instances/outside-accounts.ts';
import { wholeOf } from './download.ts';

/** A fake site with an account on it; what happens at the site without an account goes by the fake itself. */
export type AccountWorld = {
  /** Another process with the same account; its calls go by `through` when given. */
  open(through?: (send: typeof fetch) => typeof fetch): ProjectAccount;
  /** A project with everything on it that a copy has to carry, and more than one batch deep. */
  fill(key: string): void;
  /** An empty project that nobody marked. */
  addForeign(key: string, options: { empty: boolean }): void;
  /** Items of a project, however they came there. */
  count(key: string): number;
  /** Takes it away without a trace. */
  clear(key: string): void;
  close(): Promise<void>;
};

/** Those that a copy can tell apart: a process killed before a call leaves what one leaves that is killed after the last one. */
const CUTS_OF_COPIES = ['killed after', 'answer lost', 'effect late'] as const;
const CUTS = ['killed before', ...CUTS_OF_COPIES, 'answer 500', 'answer half'] as const;
type Cut = (typeof CUTS)[number];

/** What every account of companies holds, on the site that `start` gives. */
export function conformsAsProjectAccount(name: string, start: () => Promise<AccountWorld>): void {
  suite(`${name} as the account of companies`, () => {
    let world: AccountWorld;
    before(async () => {
      world = await start();
      world.fill('SRC');
    });
    after(() => world.close());

    lifeTests(() => world);
    copyTests(() => world);
    cutTests(() => world);
  });
}

function lifeTests(world: () => AccountWorld): void {
  const spec = { key: 'ACME', name: 'Acme', description: 'Of acme.', instance: 'acme', named: false };

  test('what is ensured twice is there once, until it is removed', async () => {
    const account = world().open();
    const resource = await account.ensure(spec);
    assert.deepEqual(await account.ensure(spec), resource);
    assert.equal(await account.exists(resource), true);
    assert.equal(await account.remove(resource, 'acme'), true);
    assert.equal(await account.exists(resource), false);
    assert.equal(await account.remove(resource, 'acme'), false);
  });

  test('what another company or a person made is neither taken over nor removed', async () => {
    const account = world().open();
    const resource = await account.ensure(spec);
    await assert.rejects(account.ensure({ ...spec, instance: 'other' }), {
      code: 'OUTSIDE_REFUSED',
      message: /free key, as ACME1/,
    });
    await assert.rejects(account.remove(resource, 'other'), { code: 'OUTSIDE_REFUSED' });
    assert.equal(await account.exists(resource), true);
    await account.remove(resource, 'acme');
    world().addForeign('MINE', { empty: true });
    await assert.rejects(account.ensure({ ...spec, key: 'MINE' }), { code: 'OUTSIDE_REFUSED' });
    assert.equal(await account.remove({ ...resource, id: 'MINE' }, 'acme').catch(() => false), false);
    world().clear('MINE');
  });

  test('an empty one that the configuration names is taken over, and stays when the company goes', async () => {
    const account = world().open();
    world().addForeign('NAMED', { empty: true });
    world().addForeign('FULL', { empty: false });
    const resource = await account.ensure({ ...spec, key: 'NAMED', named: true });
    assert.equal(await account.exists(resource), true);
    assert.equal(await account.remove(resource, 'acme'), false);
    assert.equal(await account.exists(resource), false);
    const full = account.ensure({ ...spec, key: 'FULL', named: true });
    await assert.rejects(full, { code: 'OUTSIDE_REFUSED', message: /not empty/ });
    world().clear('NAMED');
    world().clear('FULL');
  });

  test('a company that is renamed keeps what it has', async () => {
    const account = world().open();
    const resource = await account.ensure(spec);
    await account.rename(resource, 'acme', 'zenith');
    await assert.rejects(account.remove(resource, 'acme'), { code: 'OUTSIDE_REFUSED' });
    await account.ensure({ ...spec, instance: 'zenith' });
    assert.equal(await account.remove(resource, 'zenith'), true);
  });

  for (const how of CUTS) {
    test(`however the making is cut (${how}), making it again ends with one that can be removed`, async () => {
      for (let at = 0; ; at++) {
        const cut = cutAt(at, how);
        await world()
          .open(cut.through)
          .ensure(spec)
          .catch(() => undefined);
        const account = world().open();
        const resource = await account.ensure(spec);
        assert.equal(await account.remove(resource, 'acme'), true, `cut at call ${at}`);
        if (!cut.happened()) break;
      }
    });
  }

  test('an account with wrong credentials says so, and does not throw', async () => {
    const account = world().open((send) => (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set('authorization', 'Basic d3Jvbmc6d3Jvbmc=');
      return send(input, { ...init, headers });
    });
    const { ok, detail } = await account.check();
    assert.equal(ok, false);
    assert.match(detail, /401/);
    assert.doesNotMatch(detail, /d3Jvbmc|wrong/);
    assert.equal((await world().open().check()).ok, true);
  });
}

function copyTests(world: () => AccountWorld): void {
  test('a copy has the same records as its source, and as many items as were planned', async () => {
    const account = world().open();
    await ensureTarget(account, 'COPY');
    const plan = await account.plan('SRC');
    const { left: _left, comments: _comments, ...counts } = await copyOf(account, 'SRC', 'COPY').done;
    const { calls: _calls, ...planned } = plan;
    assert.deepEqual(counts, planned);
    assert.deepEqual(await account.inventory('COPY'), planned);
    assert.deepEqual(await recordsOf(account, 'COPY'), await recordsOf(account, 'SRC'));
    assert.ok(planned.items >= 5 && planned.attachments > 1 && planned.bytes > 0);
    world().clear('COPY');
  });

  test('a copy of a copy has the same records too', async () => {
    const account = world().open();
    await ensureTarget(account, 'ONE');
    await copyOf(account, 'SRC', 'ONE').done;
    await ensureTarget(account, 'TWO');
    await copyOf(account, 'ONE', 'TWO').done;
    assert.deepEqual(await recordsOf(account, 'TWO'), await recordsOf(account, 'SRC'));
    world().clear('ONE');
    world().clear('TWO');
  });

  test('records restored from JSON give the same content', async () => {
    const account = world().open();
    await ensureTarget(account, 'BACK');
    const exported = await exportOf(account, 'SRC');
    const { operationId, memory, keep, progress, signal } = copyOf(account, 'SRC', 'BACK', { start: false }).options;
    await account.restore({ to: 'BACK', operationId, memory, keep, progress, signal, records: exported.records });
    assert.deepEqual(portableOnly(await recordsOf(account, 'BACK')), portableOnly(exported.list));
    world().clear('BACK');
  });

  test('a copy that is aborted stops, and goes on later', async () => {
    const account = world().open();
    await ensureTarget(account, 'STOP');
    const abort = new AbortController();
    const first = copyOf(account, 'SRC', 'STOP', {
      signal: abort.signal,
      afterKeep: () => abort.abort(new Error('stopping')),
    });
    await assert.rejects(first.done);
    await copyOf(account, 'SRC', 'STOP', { memory: first.kept() }).done;
    assert.deepEqual(await recordsOf(account, 'STOP'), await recordsOf(account, 'SRC'));
    world().clear('STOP');
  });

  test('a copy that had ended does nothing when it is run again', async () => {
    const account = world().open();
    await ensureTarget(account, 'DONE');
    const first = copyOf(account, 'SRC', 'DONE');
    const counts = await first.done;
    const changes: string[] = [];
    const watched = world().open((send) => (input, init) => {
      if (!['GET', 'HEAD'].includes(init?.method ?? 'GET')) changes.push(`${init?.method} ${String(input)}`);
      return send(input, init);
    });
    assert.deepEqual(await copyOf(watched, 'SRC', 'DONE', { memory: first.kept() }).done, counts);
    const reads = /search|bulkfetch|comment\/list/;
    assert.deepEqual(
      changes.filter((call) => !reads.test(call)),
      [],
    );
    world().clear('DONE');
  });
}

/** The property of the issue: whatever call is cut in whatever way, going on ends with the same content, nothing twice. */
function cutTests(world: () => AccountWorld): void {
  for (const how of CUTS_OF_COPIES) {
    test(`cut at each of its calls in turn (${how}), a copy goes on to the same content, nothing twice`, async () => {
      const wanted = await recordsOf(world().open(), 'SRC', false);
      for (let at = 0; ; at++) {
        world().clear('CUT');
        await ensureTarget(world().open(), 'CUT');
        const cut = cutAt(at, how);
        const first = copyOf(world().open(cut.through), 'SRC', 'CUT');
        await first.done.catch(() => undefined);
        const account = world().open();
        await copyOf(account, 'SRC', 'CUT', { memory: first.kept() }).done;
        assert.deepEqual(await recordsOf(account, 'CUT', false), wanted, `${how} at call ${at}`);
        assert.equal(world().count('CUT'), world().count('SRC'), `${how} at call ${at}`);
        if (!cut.happened()) break;
      }
    });
  }
}

async function ensureTarget(account: ProjectAccount, key: string): Promise<void> {
  await account.ensure({ key, name: `Copy ${key}`, description: '', instance: 'copy', named: false });
}

type CopyStart = { memory?: CopyMemory; signal?: AbortSignal; afterKeep?: () => void; start?: boolean };

function copyOf(account: ProjectAccount, from: string, to: string, start: CopyStart = {}) {
  // As on disk: nothing of it is shared with the copy that goes on.
  let kept = JSON.stringify(start.memory ?? NEW_COPY);
  const options = {
    from,
    to,
    operationId: `copy-${to}`,
    memory: JSON.parse(kept) as CopyMemory,
    keep: async (memory: CopyMemory): Promise<void> => {
      kept = JSON.stringify(memory);
      start.afterKeep?.();
    },
    progress: (): void => undefined,
    signal: start.signal ?? new AbortController().signal,
  };
  const done: Promise<CopyCounts> = start.start === false ? Promise.resolve({ ...NOTHING }) : account.copy(options);
  return { options, done, kept: () => JSON.parse(kept) as CopyMemory };
}
const NOTHING: CopyCounts = { items: 0, links: 0, comments: 0, attachments: 0, bytes: 0, left: [] };

async function recordsOf(account: ProjectAccount, key: string, checksums = true): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const record of account.records(key, { checksums })) list.push(JSON.parse(JSON.stringify(record)));
  return list;
}

/** What an export writes: records as JSON, and the files beside them. */
async function exportOf(
  account: ProjectAccount,
  key: string,
): Promise<{ list: unknown[]; records(): AsyncIterable<PortableRecord> }> {
  const lines: string[] = [];
  const files: Uint8Array[][] = [];
  for await (const record of account.records(key, { checksums: true })) {
    lines.push(JSON.stringify(record));
    const contents: Uint8Array[] = [];
    for (const one of record.attachments)
      contents.push(new Uint8Array(await (await wholeOf(one.open())).arrayBuffer()));
    files.push(contents);
  }
  return {
    list: lines.map((line) => JSON.parse(line) as unknown),
    async *records() {
      for (const [i, line] of lines.entries()) {
        const record = JSON.parse(line) as PortableRecord;
        const attachments = record.attachments.map((one, j) => ({ ...one, open: () => streamOf(files[i]![j]!) }));
        yield { ...record, attachments };
      }
    },
  };
}

async function* streamOf(content: Uint8Array): AsyncIterable<Uint8Array> {
  yield content;
}

/** Another site knows neither issues of other projects nor parents there. */
function portableOnly(records: readonly unknown[]): unknown[] {
  return records.map((record) => {
    const { content, ...rest } = record as { content: Record<string, unknown> };
    const { outside: _outside, outsideParent: _outsideParent, ...kept } = content;
    return { ...rest, content: kept };
  });
}

/** Calls that fail in one way at one index; after `killed` all of them fail, as the process is gone. */
function cutAt(index: number, how: Cut): { through: (send: typeof fetch) => typeof fetch; happened(): boolean } {
  let calls = 0;
  let isDead = false;
  let late: (() => Promise<unknown>) | null = null;
  const through = (send: typeof fetch) => async (input: string | URL | Request, init?: RequestInit) => {
    if (isDead) throw new Error('the process is gone');
    const waiting = late;
    late = null;
    try {
      return calls++ === index ? await cutCall() : await send(input, init);
    } finally {
      await waiting?.();
    }
    async function cutCall(): Promise<Response> {
      isDead = how.startsWith('killed');
      if (how === 'killed before') throw new Error('killed');
      const copied = init?.body instanceof Uint8Array ? { ...init, signal: null, body: init.body.slice() } : init;
      if (how === 'effect late') {
        late = () => send(input, { ...copied, signal: null });
        throw new Error('the answer was lost');
      }
      const response = await send(input, init);
      if (how === 'answer 500')
        return new Response('{}', { status: 500, headers: { 'content-type': 'application/json' } });
      if (how !== 'answer half') throw new Error('the answer was lost');
      const text = await response.text();
      const { status, headers } = response;
      return new Response(status === 204 ? null : text.slice(0, text.length / 2), { status, headers });
    }
  };
  return { through, happened: () => calls > index };
}

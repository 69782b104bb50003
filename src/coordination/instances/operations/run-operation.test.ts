import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ColmeiaError } from '../../../platform/errors.ts';
import { Secret } from '../../../platform/secret.ts';
import type { JournalEvent } from '../../../trust/audit/journal.ts';
import { knownSecrets } from '../../../trust/secrets/redact.ts';
import { pendingStep, type Operation } from './operation.ts';
import { runOperation } from './run-operation.ts';
import type { OperationDefinition, Step } from './step.ts';

/** What an operation makes outside: how many times each thing was made and not taken away again. */
type World = { things: Map<string, number>; made: string[] };
type Found = Record<string, number>;

/** Dies at the points of time that are named, counted over all lives. */
class Mortal {
  readonly #deaths: ReadonlySet<number>;
  #points = 0;
  #life = new AbortController();

  constructor(deaths: readonly number[]) {
    this.#deaths = new Set(deaths);
  }

  bear(): AbortSignal {
    this.#life = new AbortController();
    return this.#life.signal;
  }

  point(): void {
    if (!this.#deaths.has(this.#points++)) return;
    this.#life.abort(new Error('killed'));
    throw new Error('killed');
  }
}

/** A step that makes one thing and one more after each of its keeps; it looks before it makes. */
function makingStep(name: string, keeps: number, world: World, mortal: Mortal): Step<unknown, Found> {
  const things = Array.from({ length: keeps + 1 }, (_, i) => `${name}.${i}`);
  return {
    name,
    async run({ memory, keep }) {
      for (const thing of things) {
        mortal.point();
        if (!world.things.has(thing)) {
          world.things.set(thing, 1);
          world.made.push(thing);
        }
        mortal.point();
        if (thing !== things.at(-1)) await keep({ [thing]: (memory[thing] ?? 0) + 1 });
      }
      return { [name]: 1 };
    },
    async undo() {
      for (const thing of things.toReversed()) {
        mortal.point();
        world.things.delete(thing);
      }
    },
  };
}

const newOperation = (definition: OperationDefinition<never, never>): Operation => ({
  id: 'o',
  instance: 'padaria',
  kind: 'init',
  input: {},
  memory: {},
  steps: definition.steps.map(({ name }) => pendingStep(name)),
  state: 'running',
  error: null,
  by: 'operator:local',
  rev: 1,
  startedAt: '2026-11-21T12:00:00.000Z',
  endedAt: null,
});

/** Runs it through as many lives as it takes; each begins with what was kept. Gives what was kept, and the events. */
async function liveThrough(definition: OperationDefinition<never, never>, begun: Operation, mortal: Mortal) {
  let kept = JSON.stringify(begun);
  const events: JournalEvent[] = [];
  for (let lives = 0; lives < 100; lives++) {
    const operation = JSON.parse(kept) as Operation;
    if (operation.state !== 'running' && operation.state !== 'undoing') break;
    const signal = mortal.bear();
    await runOperation(definition, operation, {
      signal,
      now: () => 0,
      failed: () => {},
      save: async (changed, said) => {
        mortal.point();
        assert.ok(changed.rev > (JSON.parse(kept) as Operation).rev, 'every change has a number of its own');
        kept = JSON.stringify(changed);
        events.push(...said);
        mortal.point();
      },
    }).catch((error: Error) => {
      if (!signal.aborted) throw error;
    });
  }
  return { operation: JSON.parse(kept) as Operation, events };
}

const plans = fc.record({
  keeps: fc.array(fc.nat(2), { minLength: 1, maxLength: 4 }),
  deaths: fc.uniqueArray(fc.nat(60), { maxLength: 8 }),
});

function setUp(
  keeps: readonly number[],
  deaths: readonly number[],
  more: Partial<OperationDefinition<never, never>> = {},
) {
  const world: World = { things: new Map(), made: [] };
  const mortal = new Mortal(deaths);
  const steps = keeps.map((count, i) => makingStep(`s${i}`, count, world, mortal));
  const definition = { steps, result: () => ({}), ...more } as OperationDefinition<never, never>;
  return { world, mortal, definition };
}

describe('running an operation', () => {
  test('killed at any points, it comes to the same end, and makes each thing once', async () => {
    await fc.assert(
      fc.asyncProperty(plans, async ({ keeps, deaths }) => {
        const { world, mortal, definition } = setUp(keeps, deaths);
        const { operation, events } = await liveThrough(definition, newOperation(definition), mortal);
        assert.equal(operation.state, 'completed');
        assert.ok(operation.steps.every(({ state }) => state === 'done'));
        assert.ok(operation.endedAt !== null);
        assert.deepEqual(
          world.made,
          keeps.flatMap((count, s) => Array.from({ length: count + 1 }, (_, i) => `s${s}.${i}`)),
        );
        for (const [s, count] of keeps.entries()) {
          assert.equal(operation.memory[`s${s}`], 1);
          for (let i = 0; i < count; i++) assert.ok((operation.memory[`s${s}.${i}`] as number) >= 1);
        }
        const done = events.filter(({ type }) => type === 'instance.operation_step_done').map(({ data }) => data?.step);
        assert.deepEqual(
          done,
          keeps.map((_, s) => `s${s}`),
          'each step is said to be done once, in order',
        );
        assert.equal(events.filter(({ type }) => type === 'instance.operation_completed').length, 1);
      }),
      { numRuns: 200 },
    );
  });

  test('undone from any point at which it was killed, it leaves nothing', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.nat(40), async ({ keeps, deaths }, first) => {
        const { world, mortal, definition } = setUp(keeps, [first]);
        let kept = newOperation(definition);
        const signal = mortal.bear();
        await runOperation(definition, kept, {
          signal,
          now: () => 0,
          failed: () => {},
          save: async (changed) => {
            mortal.point();
            kept = structuredClone(changed);
          },
        }).catch(() => {});
        const back = setUp(keeps, deaths);
        for (const [thing, count] of world.things) back.world.things.set(thing, count);
        const undoing: Operation = { ...kept, state: 'undoing', endedAt: null };
        const { operation } = await liveThrough(back.definition, undoing, back.mortal);
        assert.equal(operation.state, 'undone');
        assert.deepEqual([...back.world.things], []);
      }),
      { numRuns: 200 },
    );
  });

  test('a step that fails leaves what was done, its error without the password of an address, and the rest pending', async () => {
    const { world, mortal, definition } = setUp([0, 0, 0], []);
    const failing: Step<unknown, Found> = {
      name: 's1',
      run: async () => {
        throw new ColmeiaError('STORE_UNAVAILABLE', 'no answer of postgresql://ana:hunter2@db/acme');
      },
    };
    const broken = { ...definition, steps: definition.steps.with(1, failing as never) };
    const { operation, events } = await liveThrough(broken, newOperation(broken), mortal);
    assert.deepEqual(
      operation.steps.map(({ state }) => state),
      ['done', 'failed', 'pending'],
    );
    const error = { code: 'STORE_UNAVAILABLE', message: 'no answer of postgresql://ana:***@db/acme' };
    assert.deepEqual([operation.state, operation.error], ['failed', error]);
    assert.deepEqual([...world.things.keys()], ['s0.0']);
    assert.equal(events.at(-1)?.type, 'instance.operation_failed');
    assert.ok(!JSON.stringify([operation, events]).includes('hunter2'));
  });

  test('what a step says of itself and of an error holds no secret, and no place where the server has its files', async () => {
    const secret = new Secret('a-secret-that-a-vendor-repeats');
    knownSecrets.learn(secret);
    const { mortal, definition } = setUp([0, 0], []);
    const telling: Step<unknown, Found> = {
      name: 's0',
      run: async ({ progress }) => progress(`made with ${secret.reveal()} at postgresql://ana:hunter2@db/acme`),
    };
    const failing: Step<unknown, Found> = {
      name: 's1',
      run: async () => void (await fs.promises.readFile('/not/for/companies')),
    };
    const broken = { ...definition, steps: [telling, failing] as never };
    const { operation, events } = await liveThrough(broken, newOperation(broken), mortal);
    assert.equal(operation.steps[0]!.detail, 'made with [secret] at postgresql://ana:***@db/acme');
    assert.deepEqual(operation.error, { code: 'INTERNAL', message: 'ENOENT: no such file or directory' });
    assert.doesNotMatch(JSON.stringify([operation, events]), /vendor-repeats|hunter2|for\/companies/);
  });

  test('an operation that is undone on failure takes back what it made, and tells the first error', async () => {
    const { world, mortal, definition } = setUp([1, 0], []);
    const failing: Step<unknown, Found> = {
      name: 's1',
      run: async () => {
        world.things.set('half', 1);
        throw new Error('no room');
      },
      undo: async () => void world.things.delete('half'),
    };
    const broken = { ...definition, steps: definition.steps.with(1, failing as never), undoOnFailure: true };
    const { operation } = await liveThrough(broken, newOperation(broken), mortal);
    assert.equal(operation.state, 'undone');
    assert.deepEqual(operation.error, { code: 'INTERNAL', message: 'no room' });
    assert.deepEqual([...world.things], []);
  });

  test('progress said a thousand times is written a few times, and what is kept is on disk when keep resolves', async () => {
    let saves = 0;
    let kept: Operation | null = null;
    const definition = {
      steps: [
        {
          name: 's',
          async run({ progress, keep }) {
            for (let i = 0; i < 1_000; i++) progress(`row ${i}`, i / 1_000);
            await keep({ found: 7 });
            assert.equal(kept?.memory.found, 7);
            assert.equal(kept?.steps[0].detail, 'row 999');
          },
        } as Step<unknown, { found: number }>,
      ],
      result: () => ({}),
    } as unknown as OperationDefinition<never, never>;
    await runOperation(definition, newOperation(definition), {
      signal: new AbortController().signal,
      now: () => 0,
      failed: () => {},
      save: async (changed) => {
        saves++;
        kept = structuredClone(changed);
      },
    });
    assert.ok(saves <= 4, `${saves} writes`);
  });
});

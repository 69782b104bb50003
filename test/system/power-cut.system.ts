import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { QUICK } from '../flow/place.ts';
import { ControlPlane } from './control-plane.ts';
import { DiskImage, removeImages, whyNoImages } from './disk-image.ts';
import { assertNothingLost, lostOf, readHistory } from './history.ts';
import { Load } from './load.ts';

const ROUNDS = 10;
/** Rounds that the writer without fsync gets to lose something. */
const UNSAFE_ROUNDS = 3;

const why = whyNoImages();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-power-cut-'));
const cleanUp = (): void => removeImages(folder);
process.on('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
after(cleanUp);

describe('a power cut of the embedded database', { skip: why ?? false }, () => {
  if (why !== null) console.log(`skipped: ${why}`);

  test(`${ROUNDS} times under load: nothing acknowledged is lost`, async (t) => {
    const told: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { load, disk, recoverMs } = await cutPower(`safe-${round}`, []);
      told.push(`${load.accepted.size} + ${load.results.length} in ${recoverMs.toFixed(0)} ms`);
      if (disk instanceof Error) throw disk;
      assertNothingLost(load, disk);
      assert.ok(load.results.length > 50, `only ${load.results.length} results: that is no load`);
    }
    t.diagnostic(`decisions and results that were acknowledged, and read back: ${told.join('; ')}`);
  });

  test('without fsync the same cut does lose what was acknowledged, so the test above can fail', async (t) => {
    let lost = 0;
    for (let round = 0; round < UNSAFE_ROUNDS && lost === 0; round++) {
      const { load, disk } = await cutPower(`unsafe-${round}`, ['--no-fsync']);
      lost = disk instanceof Error ? load.results.length : lostOf(load, disk).length;
    }
    t.diagnostic(`${lost} acknowledged decisions and results lost`);
    assert.ok(lost > 0);
  });
});

/** One cut: the control plane is stopped in the middle of its work, its disk is copied as it is, and the copy is read. */
async function cutPower(name: string, flags: readonly string[]) {
  const image = DiskImage.create(path.join(folder, name));
  const plane = new ControlPlane({ ...QUICK, dataFolder: path.join(image.folder, 'data') }, flags);
  const load = new Load({ faces: [plane.colmeia], companies: ['default'] });
  let copy: DiskImage | null = null;
  try {
    await plane.start();
    execFileSync('sync', ['--file-system', image.folder]); // what matters is what comes now
    load.start();
    await load
      .nextResult()
      .catch((error: Error) => assert.fail(`${error.message} ${plane.fault ?? ''} ${plane.log.join()}`));
    await sleep(200 + Math.random() * 1_000);
    plane.signal('SIGSTOP');
    copy = image.copyTo(path.join(folder, `${name}.copy`));
    await plane.kill(); // and what it had sent until then is heard
    await load.stopSubmitting();
    const data = path.join(copy.folder, 'data');
    fs.rmSync(path.join(data, 'lock'), { force: true }); // after a power cut no process is alive
    const startedAt = performance.now();
    const disk = await readHistory({ databaseUrl: null, dataFolder: data }).catch((error: unknown) => error as Error);
    return { load, disk, recoverMs: performance.now() - startedAt };
  } finally {
    await plane.kill();
    await load.stopSubmitting();
    void load.stopAgents(); // it tries to say its last words for a while
    copy?.remove();
    image.remove();
  }
}

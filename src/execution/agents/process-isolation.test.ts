import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { CommandHome, commandTicket, sh } from './command-home.testing.ts';
import { isolationWay } from './process-isolation.ts';

const home = new CommandHome();
const { root } = home;
const adapterOf = home.adapterOf.bind(home);
const attempt = home.attempt.bind(home);
after(() => home.close());
const plans = home.plansOf('acme');

describe(
  'what a command can see',
  { skip: isolationWay('files').isolation !== 'files' && 'this machine has no namespaces' },
  () => {
    test('nothing of the control plane, of other companies or of other plans; and it cannot undo that', async () => {
      writeFileSync(join(root, 'operator.key'), 'the-key');
      writeFileSync(join(root, '.env'), 'PASSWORD=hidden-password');
      const other = adapterOf(sh('echo theirs > file'), { isolate: 'files' });
      await attempt(other, commandTicket({}, { plan_id: 'p-other' })).result;
      await attempt(other, commandTicket({}, { metadata: { instance: 'globex' } })).result;
      const script = `
      for path in ${root}/operator.key ${plans}/p-other/file ${home.plansOf('globex')}/p-1/file; do cat $path 2>/dev/null && echo SEEN; done
      umount ${root} 2>/dev/null && echo UMOUNTED
      mount --bind / ${root} 2>/dev/null && echo MOUNTED
      ls -R ${root} > seen; cat /proc/${process.pid}/environ 2>/dev/null && echo ENVIRON
      kill -0 ${process.pid} 2>/dev/null && echo SIGNALLED
      cat ${root}/operator.key 2>/dev/null; echo own > own; cd /tmp; cat "$HOME/own" "$COLMEIA_TICKET_FILE" > /dev/null && echo '{"ok":1}'`;
      const run = attempt(adapterOf(sh(script), { isolate: 'files', hidden: [join(root, '.env')] }));
      assert.deepEqual(await run.result, { ok: '1' });
      assert.deepEqual(run.logs, ['{"ok":1}']);
      const seen = readFileSync(join(plans, 'p-1/seen'), 'utf8');
      assert.doesNotMatch(seen, /operator|globex|p-other|\.env/);
      assert.equal(readFileSync(join(plans, 'p-1/own'), 'utf8'), 'own\n');
    });

    test('what the operator names: folders of the command line, further ones within the home, and files outside are hidden', async () => {
      mkdirSync(join(root, 'scripts'));
      writeFileSync(join(root, 'scripts/lib.mjs'), 'export const text = "from beside";');
      writeFileSync(
        join(root, 'scripts/main.mjs'),
        'import { text } from "./lib.mjs"; console.log(JSON.stringify({ text }));',
      );
      assert.deepEqual(await attempt(adapterOf(['{node}', '{home}/scripts/main.mjs'], { isolate: 'files' })).result, {
        text: 'from beside',
      });
      await attempt(
        adapterOf(sh(`echo kept > ${root}/deployed/file`), { isolate: 'files', visible: ['{home}/deployed'] }),
      ).result;
      assert.equal(readFileSync(join(root, 'deployed/file'), 'utf8'), 'kept\n');
      const outside = mkdtempSync(join(tmpdir(), 'colmeia-outside-'));
      writeFileSync(join(outside, 'secret'), 'x');
      const run = attempt(
        adapterOf(sh(`echo "{\\"size\\":$(cat ${outside}/secret | wc -c)}"`), {
          isolate: 'files',
          hidden: [join(outside, 'secret')],
        }),
      );
      assert.deepEqual(await run.result, { size: '0' });
      rmSync(outside, { recursive: true });
    });
  },
);

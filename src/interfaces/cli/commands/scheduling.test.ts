import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, it } from 'node:test';
import type { Colmeia } from '../../../colmeia.ts';
import type { WhyView } from '../../../execution/swarm/scheduling-views.ts';
import { ColmeiaError } from '../../../platform/errors.ts';
import { colmeiaDouble, OPERATOR_KEY } from '../../http/colmeia.testing.ts';
import { EXPLANATION, SCHEDULING, WHY } from '../../http/scheduling.testing.ts';
import { startHttpServer, type HttpServer } from '../../http/server.ts';
import { runAt } from '../cli.testing.ts';
import { whySentence } from './why.ts';

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-cli-scheduling-'));
let server: HttpServer;
/** What the calls brought, by method of the library. */
const taken: Record<string, unknown> = {};
let why: WhyView = WHY;
let explanation = EXPLANATION;
let classes = true;

const scheduling: Partial<Colmeia['scheduling']> = {
  setPolicy: async (who, document) => {
    taken.setPolicy = document;
    if ((document as { wrong?: true }).wrong)
      throw new ColmeiaError('INVALID_POLICY', 'the policy has 1 fault', {
        faults: [{ path: 'wrong', message: 'is not a field of a policy' }],
      });
    return SCHEDULING.setPolicy(who, document);
  },
  backlog: async (who) => (classes ? SCHEDULING.backlog(who) : { at: 0, classes: [] }),
  trails: async (who, query) => ((taken.trails = query), SCHEDULING.trails(who, query)),
  resetTrails: async (who, query) => ((taken.resetTrails = query), SCHEDULING.resetTrails(who, query)),
  startExperiment: async (who, settings) => (
    (taken.startExperiment = settings),
    SCHEDULING.startExperiment(who, settings)
  ),
  stopExperiment: async (who, request) => ((taken.stopExperiment = request), SCHEDULING.stopExperiment(who, request)),
};

before(async () => {
  const colmeia = colmeiaDouble({
    scheduling,
    tickets: { why: async () => why },
    plans: { explain: async () => explanation },
  });
  server = await startHttpServer({ colmeia, port: 0 });
  fs.writeFileSync(path.join(home, 'operator.key'), OPERATOR_KEY);
  fs.writeFileSync(path.join(home, 'address'), server.address);
});
after(async () => {
  await server.close();
  fs.rmSync(home, { recursive: true });
});

const cli = (args: string[], input = '') => runAt(home, args, { input });

it('says why a ticket waits, what is ahead, who could take it and when it starts', async () => {
  const { exit, out } = await cli(['why', 't1']);
  assert.equal(exit, 0);
  assert.match(
    out,
    /^ticket t1 \(BUILD\) of plan p1, company default\nwaits for an agent: 3rd of 12 in class BUILD node, /,
  );
  assert.match(out, /forecast +starts \S+ \S+ \(in 1 min 00 s\); 9 in 10 by .* \(in 3 min 00 s\)\n/);
  assert.match(out, /ahead +2 tickets, 1 min 35 s of work \(others 2\)\n/);
  assert.match(out, /held +for a1, /);
  assert.match(out, /cap +provider=openai: 10 of 10 run\n/);
  assert.match(out, /company +silver \(weight 2\), .*takes part; budget normal\n/);
  assert.match(out, /3 of 4 agents can do it\nFILTER +REMOVED +AS\ncapability +1 +It lacks /);
  assert.doesNotMatch(out, /breaker/, 'a filter that removes nobody says nothing');
  assert.match(out, /a1 +in 20\.0 s +1 min 01 s +finish 1 min 00 s, load 1\.2 s\n$/);
  assert.deepEqual(JSON.parse((await cli(['why', 't1', '--json'])).out), WHY);
});

it('has a sentence for everything that a ticket can wait for', async () => {
  const sentence = (what: WhyView['waits_for']['what'], more: Partial<WhyView['waits_for']> = {}): string =>
    whySentence({
      ...WHY,
      state: 'completed',
      queue: null,
      waits_for: { what, tickets: [], until: null, agent_id: null, ...more },
    });
  assert.equal(sentence('dependencies', { tickets: ['a', 'b'] }), 'waits for 2 tickets before it: a, b');
  assert.equal(sentence('dependencies', { tickets: ['a'] }), 'waits for 1 ticket before it: a');
  assert.equal(sentence('approval'), 'waits for a person: colmeia approve p1');
  assert.equal(sentence('resume'), 'waits, as its plan is paused: colmeia resume p1');
  assert.match(
    sentence('backoff', { until: WHY.at + 5_000 }),
    /^waits before it is tried again, until .*, 5\.0 s more$/,
  );
  assert.equal(sentence('result', { agent_id: 'a1' }), 'runs on a1');
  assert.equal(sentence('nothing'), 'waits for nothing: completed');
  assert.equal(sentence('agent'), 'waits for an agent');
  const nth = (position: number): string => whySentence({ ...WHY, queue: { ...WHY.queue!, position } });
  for (const [n, word] of [
    [1, '1st'],
    [2, '2nd'],
    [11, '11th'],
    [13, '13th'],
    [21, '21st'],
    [103, '103rd'],
  ] as const)
    assert.match(nth(n), new RegExp(`agent: ${word} of 12`));
});

it('says why nobody can take a ticket', async () => {
  const queue = { ...WHY.queue!, agents: 0, filters: [], candidates: [] };
  why = { ...WHY, queue, forecast_start: null };
  const { out } = await cli(['why', 't1']);
  assert.match(out, /No agent is registered\.\n$/);
  assert.doesNotMatch(out, /forecast/);
  why = WHY;
});

it('says when a plan will end, what that is made of, and how right such forecasts were', async () => {
  const { exit, out } = await cli(['explain', 'p1', '--instance', 'default']);
  assert.equal(exit, 0);
  assert.match(out, /^plan p1 of default: running\nends +\S+ \S+ \(in 8 min 00 s\); 9 in 10 by .*\(in 15 min 00 s\)\n/);
  assert.match(out, /deadline .*\(in 10 min 00 s\): in danger\n/);
  assert.match(
    out,
    /made of +critical path 3 min 00 s; 4 min 00 s of .* and 5 min 00 s of its own, through 1\.5 slots\n/,
  );
  assert.match(out, /so far +40 forecasts: plans ended 10 % later on the whole, off by a factor of 1\.4; 90 % /);
  assert.match(out, /budget +normal; burn 1 h 0\.5\n/);
  assert.match(out, /build +BUILD +running +a1 +2 min 00 s +30\.0 s +t1\n$/);
  explanation = { ...EXPLANATION, forecast: null, parts: null, error: { n: 0, bias: 1, off: 1, kept: 1 } };
  const nobody = (await cli(['explain', 'p1'])).out;
  assert.match(nobody, /There is no forecast: nobody can do what is left\.\ndeadline .*\nso far +no forecast /);
  explanation = EXPLANATION;
});

it('shows the policy with every value on a line of its own', async () => {
  const { out } = await cli(['scheduling']);
  assert.match(
    out,
    /^policy adaptive, as the process was started\npreset +adaptive\nlag_seconds +3000\norder +deadline\n/,
  );
  assert.match(out, /caps\.running +none\n$/);
  assert.match((await cli(['scheduling', 'show', '--all'])).out, /\nsettings\.burn\.tight_burn +6\n$/);
});

it('sets a preset by its name, and a document from a file or standard input', async () => {
  assert.equal((await cli(['scheduling', 'set', 'fairness'])).out, 'policy adaptive: in force\n');
  assert.deepEqual(taken.setPolicy, { preset: 'fairness' });
  fs.writeFileSync(path.join(home, 'policy.json'), '{"lag_seconds": 60}');
  assert.equal((await cli(['scheduling', 'set', 'policy.json'])).exit, 0);
  assert.deepEqual(taken.setPolicy, { lag_seconds: 60 });
  const wrong = await cli(['scheduling', 'set', '-'], '{"wrong": true}');
  assert.equal(wrong.exit, 4);
  assert.match(wrong.err, /INVALID_POLICY\)\n {2}wrong: is not a field/);
  const unknown = await cli(['scheduling', 'set', 'adaptve']);
  assert.equal(unknown.exit, 2);
  assert.match(unknown.err, /did you mean adaptive\?/);
});

it('shows what waits, how far service is reduced, and how much may still be late', async () => {
  assert.match((await cli(['scheduling', 'backlog'])).out, /BUILD node +12 +10 min 00 s +2 +2 +5 min 00 s\n$/);
  classes = false;
  assert.deepEqual(await cli(['scheduling', 'backlog']), { exit: 0, out: '', err: 'Nothing waits for an agent.\n' });
  classes = true;
  const { out } = await cli(['scheduling', 'degradation']);
  assert.match(
    out,
    /^step 1 of 2; in force: no-exploration\n[^]*1 +no-exploration +yes [^]*Never given up:\n {2}Results/,
  );
  assert.match((await cli(['budgets'])).out, /default +BUILD +99 % +62\.5 % +tight +1 h 2\.5, 6 h 1\.25\n/);
});

it('lists trails, and forgets only what it was told to', async () => {
  assert.match((await cli(['trails', '--agent', 'a1'])).out, /BUILD +a1 +all +94\.0 % +0\.8x +9\.5 +0\.5 /);
  assert.deepEqual(taken.trails, { limit: 50, agent_id: 'a1' });
  assert.equal((await cli(['trails', 'reset'])).exit, 2, 'not all by mistake');
  assert.equal((await cli(['trails', 'reset', '--all', '--agent', 'a1'])).exit, 2);
  assert.equal(taken.resetTrails, undefined);
  assert.equal((await cli(['trails', 'reset', '--task-type', 'BUILD'])).out, '2 trails forgotten\n');
  assert.deepEqual(taken.resetTrails, { task_type: 'BUILD' });
  assert.equal((await cli(['trails', 'reset', '--all'])).exit, 0);
  assert.deepEqual(taken.resetTrails, {});
});

it('begins, shows and ends an experiment', async () => {
  const args = ['--a', 'adaptive', '--b', 'fairness', '--block', '10m', '--min-pairs', '4', '--guard-drop', '0.1'];
  const { exit, out } = await cli(['experiment', 'start', ...args]);
  assert.equal(exit, 0);
  assert.deepEqual(taken.startExperiment, {
    a: 'adaptive',
    b: 'fairness',
    block_ms: 600_000,
    min_pairs: 4,
    guard_drop: 0.1,
  });
  assert.match(out, /^experiment: A = adaptive, B = fairness, by on_time\nstate +running; now fairness\n/);
  assert.equal((await cli(['experiment'])).out, out);
  assert.match(out, /pairs +3 of 24\n[^]*B − A +-2\.0 %, from -5\.0 % to 1\.0 % with 95 %\n/);
  const stopped = await cli(['experiment', 'stop', '--reason', 'enough']);
  assert.match(stopped.out, /winner +none/);
  assert.deepEqual(taken.stopExperiment, { reason: 'enough' });
  for (const wrong of [
    ['--block', '10'],
    ['--block', '2d'],
    ['--confidence', '2'],
    ['--b', 'unfair'],
  ])
    assert.equal((await cli(['experiment', 'start', ...args, ...wrong])).exit, 2, wrong.join(' '));
});

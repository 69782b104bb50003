// The registry with 1,000 companies that all have figures and health: listing them, and making one more with its own database.
import fs from 'node:fs';
import path from 'node:path';
import { createColmeia, LOCAL_OPERATOR, type Colmeia } from '../src/index.ts';
import { chainDecision, nextPlanId } from './chain-decision.ts';
import { Places, temporaryFolder, type Place } from './places.ts';
import type { BenchContext } from './row.ts';
import { quantile, rounded } from './statistics.ts';

const COMPANIES = 1_000;
const CHUNK = 50;
const PAGE = 100;
const LISTS = 60;
const MADE = 7;

export async function bench({ say, add }: BenchContext): Promise<void> {
  const places = new Places();
  try {
    for (const kind of ['embedded', 'postgres'] as const) {
      const place = await places.fresh(kind);
      const home = temporaryFolder('life');
      const colmeia = await createColmeia({
        ...place,
        instancesFolder: path.join(home, 'instances'),
        secretsKeyFile: path.join(home, 'secrets.key'),
      });
      try {
        await foundAll(colmeia, place, say);
        const { pages, fleets } = await listAll(colmeia);
        say(
          `  ${kind}, list: page p50 ${rounded(quantile(pages, 0.5))} ms, whole fleet p50 ${rounded(quantile(fleets, 0.5))} ms`,
        );
        const work = `${kind}, ${COMPANIES} companies: list a page of ${PAGE} with health and figures, p95`;
        add({ work, value: rounded(quantile(pages, 0.95)), unit: 'ms', target: '<= 10' });
        add({
          work: `${kind}, the whole list, ${COMPANIES / PAGE} pages, p95`,
          value: rounded(quantile(fleets, 0.95)),
          unit: 'ms',
          target: null,
        });
        const strategy = kind === 'embedded' ? 'hybrid' : 'schema';
        const made = await makeSome(colmeia, strategy);
        say(`  ${kind}, create + init, ${strategy}: ${made.map((ms) => Math.round(ms)).join(', ')} ms`);
        const target = kind === 'embedded' ? '<= 1500' : '<= 1000';
        add({
          work: `${kind}, create + init, ${strategy}, median`,
          value: rounded(quantile(made, 0.5)),
          unit: 'ms',
          target,
        });
      } finally {
        await colmeia.close();
        await place.remove();
        fs.rmSync(home, { recursive: true, force: true });
      }
    }
  } finally {
    await places.close();
  }
}

async function foundAll(colmeia: Colmeia, { kind }: Place, say: BenchContext['say']): Promise<void> {
  const names = Array.from({ length: COMPANIES - 1 }, (_, n) => `company-${n}`); // with the first one
  const from = performance.now();
  for (let n = 0; n < names.length; n += CHUNK)
    await Promise.all(names.slice(n, n + CHUNK).map((name) => colmeia.instances.create(LOCAL_OPERATOR, { name })));
  say(`  ${kind}: ${COMPANIES} companies made in ${((performance.now() - from) / 1_000).toFixed(1)} s`);
  await Promise.all(
    names.map((company) => colmeia.decisions.submit(LOCAL_OPERATOR, chainDecision(nextPlanId(), { company }))),
  );
}

async function listAll(colmeia: Colmeia): Promise<{ pages: number[]; fleets: number[] }> {
  const pages: number[] = [];
  const fleets: number[] = [];
  for (let n = 0; n < LISTS; n++) {
    const began = performance.now();
    for (let after: string | null = ''; after !== null;) {
      const from = performance.now();
      const page: { next: string | null } = await colmeia.instances.list(LOCAL_OPERATOR, { limit: PAGE, after });
      pages.push(performance.now() - from);
      after = page.next;
    }
    fleets.push(performance.now() - began);
  }
  return { pages, fleets };
}

async function makeSome(colmeia: Colmeia, strategy: string): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < MADE; n++) {
    const name = `made-${n}`;
    const from = performance.now();
    await colmeia.instances.create(LOCAL_OPERATOR, { name, strategy });
    let view = await colmeia.instances.init(LOCAL_OPERATOR, name);
    while (view.state === 'running')
      view = await colmeia.instances.operation(LOCAL_OPERATOR, view.id, { after_rev: view.rev, wait_ms: 60_000 });
    if (view.state !== 'completed') throw new Error(`init ${view.state}: ${JSON.stringify(view.error)}`);
    took.push(performance.now() - from);
  }
  return took;
}

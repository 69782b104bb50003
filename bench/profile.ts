import fs from 'node:fs';
import inspector from 'node:inspector/promises';
import path from 'node:path';
import { keptFolder } from './places.ts';

const SAMPLE_US = 200;
const SHOWN = 25;
const ROOT = path.dirname(import.meta.dirname);

/** Profiles this process while `work` runs: writes a .cpuprofile and prints where the time went, functions by their own time. */
export async function profiled<T>(name: string, say: (text: string) => void, work: () => Promise<T>): Promise<T> {
  const session = new inspector.Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  await session.post('Profiler.start');
  try {
    return await work();
  } finally {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    const file = path.join(keptFolder('profile'), `${name.replaceAll(/[^\w-]+/g, '-')}.cpuprofile`);
    fs.writeFileSync(file, JSON.stringify(profile));
    say(`\nprofile: ${file}`);
    for (const line of topFunctions(profile)) say(line);
  }
}

/** The same for the profile that a server process left in `folder`. */
export function printProfile(folder: string, say: (text: string) => void): void {
  const file = path.join(folder, 'server.cpuprofile');
  say(`\nprofile of the server: ${file}`);
  const profile = JSON.parse(fs.readFileSync(file, 'utf8')) as inspector.Profiler.Profile;
  for (const line of topFunctions(profile)) say(line);
}

function topFunctions({ nodes, samples = [], timeDeltas = [] }: inspector.Profiler.Profile): string[] {
  const nameOf = new Map(nodes.map((node) => [node.id, functionName(node.callFrame)]));
  const self = new Map<string, number>();
  let total = 0;
  samples.forEach((id, i) => {
    const us = timeDeltas[i] ?? 0;
    const name = nameOf.get(id) ?? '?';
    total += us;
    self.set(name, (self.get(name) ?? 0) + us);
  });
  const busy = total - (self.get('(idle)') ?? 0);
  const top = [...self].toSorted((a, b) => b[1] - a[1]).slice(0, SHOWN);
  return [
    `  ${(total / 1e6).toFixed(1)} s, busy ${((100 * busy) / total).toFixed(0)} %; self time:`,
    ...top.map(
      ([name, us]) =>
        `  ${(us / 1e3).toFixed(0).padStart(7)} ms ${((100 * us) / total).toFixed(1).padStart(5)} %  ${name}`,
    ),
  ];
}

/** All of a WebAssembly module counts as one function. */
function functionName({ functionName: name, url, lineNumber }: inspector.Runtime.CallFrame): string {
  if (url.startsWith('wasm:')) return '(WebAssembly: PGlite)';
  const file = url
    .replace(/^file:\/\//, '')
    .replace(`${ROOT}/`, '')
    .replace('node_modules/', '');
  if (file === 'node:inspector') return '(profiler)';
  return file === '' ? name || '(native)' : `${name || '(anonymous)'}  ${file}:${lineNumber + 1}`;
}

// Checks what was built: every file is as its checksum says, every link of the pages leads to a page, the version is a version.
import { existsSync, readFileSync } from 'node:fs';
import { digestOf, fail, filesOf, finish, WRONG_DATA } from './step.mjs';

const faults = [];
const index = readFileSync('build/checksums.txt', 'utf8').trim().split('\n');
for (const line of index) {
  const [digest, file] = line.split('  ');
  if (!existsSync(`build/${file}`) || digestOf(`build/${file}`) !== digest)
    faults.push(`${file} is not as its checksum says`);
}
let links = 0;
for (const page of filesOf('build/docs')) {
  for (const [, target] of readFileSync(`build/docs/${page}`, 'utf8').matchAll(/href="([^"]+)"/g)) {
    links++;
    if (!existsSync(`build/docs/${target}`)) faults.push(`${page} links to ${target}, which is not there`);
  }
}
const { version } = JSON.parse(readFileSync('source/package.json', 'utf8'));
if (!/^\d+\.\d+\.\d+$/.test(version)) faults.push(`"${version}" is no version`);
if (faults.length > 0) fail(WRONG_DATA, faults.join('\n'));
finish({ files: index.length, links, version });

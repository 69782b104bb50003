// Copies the sources into the working folder of the plan. argv: the folder of the sources.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { filesOf, finish } from './step.mjs';

rmSync('source', { recursive: true, force: true });
cpSync(process.argv[2], 'source', { recursive: true });
mkdirSync('build', { recursive: true });
// The lock of the checksum index stays behind, as it does when a tool is killed: the step `checksum` has to get over it.
writeFileSync('build/checksums.lock', 'left by fetch\n');
finish({ files: filesOf('source').length });

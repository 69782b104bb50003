// Packs what was built into one tar.gz. Source of the format: POSIX.1-1988, ustar.
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { digestOf, filesOf, finish } from './step.mjs';

function entry(name, content) {
  const header = Buffer.alloc(512);
  const put = (text, at) => header.write(text, at, 'latin1');
  put(name, 0);
  put('0000644\0' + '0000000\0'.repeat(2) + `${content.length.toString(8).padStart(11, '0')}\0` + '00000000000\0', 100);
  put(' '.repeat(8) + '0', 148);
  put('ustar\0' + '00', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const { name, version } = JSON.parse(readFileSync('source/package.json', 'utf8'));
const files = filesOf('build').filter((file) => !file.endsWith('.tar.gz'));
const archive = `build/${name}-${version}.tar.gz`;
writeFileSync(
  archive,
  gzipSync(Buffer.concat([...files.map((file) => entry(file, readFileSync(`build/${file}`))), Buffer.alloc(1024)])),
);
finish({ archive, files: files.length, sha256: digestOf(archive) });

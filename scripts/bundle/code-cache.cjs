'use strict';
// Writes the code cache of a bundle: node code-cache.cjs <folder>. A process of its own, because the cache holds what has
// been compiled by the time it is taken: the app is loaded once, as at a start. The same code makes the same bytes: V8 orders
// by hashes, whose seed is another in each process but where it is given, as here to a process below this one, and what its
// other threads compile and collect depends on when they run, so it has none. V8 does not take the cache of a process with
// other options, so what names the options comes from the one above.
const { execFileSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { dirname, join, resolve } = require('node:path');
const { setFlagsFromString } = require('node:v8');
const { constants, Script } = require('node:vm');
const { crc32 } = require('node:zlib');

/** V8's data has the hash of its options behind three numbers of four bytes (SerializedCodeData). */
const OPTIONS_AT = 12;
const OPTIONS_END = 16;

const [, , folder, options] = process.argv;
if (options === undefined) {
  // V8 accepts cached code only under the same flags, and start.cjs sets this one before it loads the cache.
  setFlagsFromString('--semi-space-growth-factor=1');
  const own = new Script('').createCachedData().subarray(OPTIONS_AT, OPTIONS_END);
  const below = [...process.execArgv, '--hash-seed=1', '--single-threaded', __filename, folder, own.toString('hex')];
  execFileSync(process.execPath, below, { stdio: 'inherit' });
  process.exit(0);
}

const main = join(resolve(folder), 'main.cjs');
const code = readFileSync(main);
const script = new Script(wrap(code.toString()), {
  // The cache keeps it, so it must not tell where the cache was made. The module that loads it passes another.
  filename: 'main.cjs',
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
const module_ = { exports: {} };
// Without a host, @azure/functions warns about each function that it cannot register.
console.warn = () => undefined;
script.runInThisContext()(module_.exports, createRequire(main), module_, main, dirname(main));
const data = script.createCachedData();
data.write(options, OPTIONS_AT, 'hex');
const checksums = Buffer.alloc(8);
checksums.writeUInt32LE(crc32(code));
checksums.writeUInt32LE(crc32(data), 4);
writeFileSync(join(dirname(main), 'main.cache'), Buffer.concat([checksums, data]));
process.exit(0);

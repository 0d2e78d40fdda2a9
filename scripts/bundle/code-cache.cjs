'use strict';
// Writes the code cache of a bundle: node code-cache.cjs <folder>. A process of its own, because the cache holds what has
// been compiled by the time it is taken: the app is loaded once, as at a start.
const { readFileSync, writeFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { dirname, join, resolve } = require('node:path');
const { constants, Script } = require('node:vm');
const { crc32 } = require('node:zlib');

const main = join(resolve(process.argv[2]), 'main.cjs');
const code = readFileSync(main);
const script = new Script(wrap(code.toString()), {
  // It stays in the cache, and says nothing of where that was made. Whoever loads it gives another.
  filename: 'main.cjs',
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
const module_ = { exports: {} };
// Without a host, @azure/functions warns about each function that it cannot register.
console.warn = () => undefined;
script.runInThisContext()(module_.exports, createRequire(main), module_, main, dirname(main));
const data = script.createCachedData();
const checksums = Buffer.alloc(8);
checksums.writeUInt32LE(crc32(code));
checksums.writeUInt32LE(crc32(data), 4);
writeFileSync(join(dirname(main), 'main.cache'), Buffer.concat([checksums, data]));
process.exit(0);

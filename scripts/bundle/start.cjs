'use strict';
// Loads main.cjs with the code cache of V8 beside it, where there is one that fits: then V8 need not compile what runs while
// the app starts. A cache of another version of V8 or of another main.cjs is left aside, and so is whatever goes wrong with it.
const { readFileSync } = require('node:fs');
const { wrap } = require('node:module');
const { join } = require('node:path');
const { constants, Script } = require('node:vm');
const { crc32 } = require('node:zlib');

const main = join(__dirname, 'main.cjs');
const script = cached();
if (script) script.runInThisContext()(exports, require, module, main, __dirname);
else module.exports = require('./main.cjs');

/** The script, if its cache was taken: before V8's data stand the CRC-32 of the code that it was made from, and its own. */
function cached() {
  try {
    const cache = readFileSync(join(__dirname, 'main.cache'));
    const code = readFileSync(main);
    const cachedData = cache.subarray(8);
    // V8 itself compares no more than the length of the code, and runs into damaged data: the process dies.
    if (cache.readUInt32LE(0) !== crc32(code) || cache.readUInt32LE(4) !== crc32(cachedData)) return undefined;
    const made = new Script(wrap(code.toString()), {
      filename: main,
      cachedData,
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    return made.cachedDataRejected ? undefined : made;
  } catch {
    return undefined;
  }
}

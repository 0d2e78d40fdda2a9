'use strict';
// Loads main.cjs with the code cache of V8 beside it, where there is one that fits: then V8 need not compile what runs while
// the app starts. A cache of another version of V8 or of another main.cjs is left aside, and so is whatever goes wrong with it.
const { isAscii } = require('node:buffer');
const { readFileSync } = require('node:fs');
const { wrap } = require('node:module');
const { join } = require('node:path');
const { getHeapSpaceStatistics, setFlagsFromString } = require('node:v8');
const { constants, Script } = require('node:vm');
const { crc32 } = require('node:zlib');

// The heap is kept small (docs/explanation/scale.md, "Memory"). While the app loads, V8 would let the space of new objects grow
// to 16 MiB, and keep it so. It reads the factor anew with each collection, so that the growth can be stopped at half of that.
// With less, it would collect so often that this takes time.
const NEW_SPACE = 8 * 1024 * 1024;
const spaceOfNew = () => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size;
for (let kept = []; spaceOfNew() < NEW_SPACE && kept.length < 1_000; ) kept.push(new Array(2_000).fill(0));
setFlagsFromString('--semi-space-growth-factor=1');
const main = join(__dirname, 'main.cjs');
const code = readFileSync(main);
const [head, tail] = wrap('\0').split('\0');
// V8 keeps the text for as long as the app runs. ASCII takes a byte a character, outside of its heap, and is there once: what
// is put together of strings is there twice, until the heap runs full.
const text = Buffer.concat([Buffer.from(head), code, Buffer.from(tail)]).toString(isAscii(code) ? 'latin1' : 'utf8');
// One that V8 will not have still compiles: to load the file in another way then would be to compile it twice.
const script = new Script(text, {
  filename: main,
  cachedData: cacheOf(code),
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
script.runInThisContext()(exports, require, module, main, __dirname);
// From here on V8 collects garbage early, at the cost of some processor time. If set earlier, the app loads more slowly.
setFlagsFromString('--optimize-for-size');

/** V8's data, if they are whole and of this code: before them stand the CRC-32 of the code, and their own. */
function cacheOf(code) {
  try {
    const cache = readFileSync(join(__dirname, 'main.cache'));
    const cachedData = cache.subarray(8);
    // V8 itself compares no more than the length of the code, and runs into damaged data: the process dies.
    const isWhole = cache.readUInt32LE(0) === crc32(code) && cache.readUInt32LE(4) === crc32(cachedData);
    return isWhole ? cachedData : undefined;
  } catch {
    return undefined;
  }
}

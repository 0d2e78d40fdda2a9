#!/usr/bin/env node
const { spawn } = require('node:child_process');
const { existsSync } = require('node:fs');
const { join } = require('node:path');

// The command line is TypeScript that Node runs as it is, from version 22.18 on. On an older Node it starts itself once more
// on the one that the project brings along.
const main = join(__dirname, '../src/cli/main.ts');
const own = join(__dirname, '../node_modules/.bin/node');
// An operator who sets NODE_USE_ENV_PROXY, for want of another way through a proxy, knows that it is experimental in Node 22.
const known = 'UNDICI-EHPA';

if (!process.features.typescript && existsSync(own)) {
  const child = spawn(own, [`--disable-warning=${known}`, main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    throw error;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 130 : (code ?? 1);
  });
} else {
  require('../scripts/require-node.cjs');
  // Node warns when this script has been read to its end. A module would be read after that: see package.json beside it.
  const [print] = process.listeners('warning');
  if (print) {
    process.removeListener('warning', print);
    process.on('warning', (warning) => warning.code === known || print(warning));
  }
  import(main);
}

#!/usr/bin/env node
const { spawn } = require('node:child_process');
const { existsSync } = require('node:fs');
const { constants } = require('node:os');
const { join } = require('node:path');

// The command line is TypeScript, which Node runs directly from version 22.18 on. On an older Node the script starts
// again with the Node in node_modules.
const main = join(__dirname, '../src/cli/main.ts');
const own = join(__dirname, '../node_modules/.bin/node');
// Hides the warning that NODE_USE_ENV_PROXY is experimental in Node 22: the operator needs it for a proxy.
const known = 'UNDICI-EHPA';

if (!process.features.typescript && existsSync(own)) {
  const child = spawn(own, [`--disable-warning=${known}`, main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    throw error;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : (code ?? 1);
  });
} else {
  require('../scripts/require-node.cjs');
  // Node emits the warning after it has read this script, so the listener must be in place before. A module would be
  // read later: see package.json beside it.
  const [print] = process.listeners('warning');
  if (print) {
    process.removeListener('warning', print);
    process.on('warning', (warning) => warning.code === known || print(warning));
  }
  import(main);
}

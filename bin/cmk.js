#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// The command line is TypeScript that Node runs as it is, from version 22 on. On an older Node it starts itself once more
// on the one that the project brings along.
const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const [major] = process.versions.node.split('.').map(Number);
const own = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));

if (major >= 22) {
  await import(main);
} else if (existsSync(own)) {
  const { status, signal, error } = spawnSync(own, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  if (error) throw error;
  process.exitCode = signal ? 130 : (status ?? 1);
} else {
  console.error(
    `cmk needs Node 22 or newer, and this is ${process.version}. Run \`npm ci\` first: it brings one along.`,
  );
  process.exitCode = 2;
}

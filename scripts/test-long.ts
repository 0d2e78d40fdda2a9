import { spawnSync } from 'node:child_process';

// What takes more than an hour: run before a change of the controller or of break-glass is called done, and each night
// by the workflow. `.ci/run` runs a part of each.

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const STEPS: readonly Step[] = [
  { name: '10,000 histories', command: ['npm', 'run', 'simulate', '--', '--seed', '1', '--histories', '10000'] },
  { name: 'mutants of the simulation', command: ['npm', 'run', 'mutants'] },
  { name: 'every history of revocation and restore', command: ['npm', 'run', 'simulate', '--', '--every-history'] },
  { name: 'tests that take long', command: ['npx', 'vitest', 'run', '--config', 'vitest.long.config.ts'] },
];

const failed = STEPS.filter(({ name, command: [file = '', ...args] }) => {
  const began = Date.now();
  console.log(`::: ${name}`);
  const { status } = spawnSync(file, args, { stdio: 'inherit' });
  console.log(`::: ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${Math.round((Date.now() - began) / 1000)} s)`);
  return status !== 0;
});

console.log(`${STEPS.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;

import { globSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { importsOf } from './scripts/arrows.ts';

/** What makes a test one over the wire: the local Azure, Azurite, a process of its own. */
const WIRE = /^test\/support\/(local-azure|azurite|child|cmk)\.ts$|^(local\/azure\/server|scripts\/bundle)\.ts$/;

/** Tests of what stands beside `src/`, and those that take their time. */
const NOT_OF_SRC = /^test\/(local-azure|local-host|infra|bench)\/|\.(slow|long)\./;

/** Whether a file, or anything that it imports, needs the wire. */
function needsWire(file: string, seen = new Set<string>()): boolean {
  if (WIRE.test(file)) return true;
  if (seen.has(file) || !/^(test|local|scripts)\/.*\.ts$/.test(file)) return false;
  seen.add(file);
  return importsOf(file, readFileSync(file, 'utf8')).some((target) => needsWire(target, seen));
}

export const UNIT_TESTS = globSync('test/**/*.test.ts').filter((file) => !NOT_OF_SRC.test(file) && !needsWire(file));

// Tests without a wire: `npm run test:unit`, in seconds. Plans, drift checks and since when are covered branch by branch.
export default defineConfig({
  test: {
    include: UNIT_TESTS,
    environment: 'node',
    // Against a test that never ends, and no promise: many simulate hours, on a machine that may be slow.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 3,
    allowOnly: false,
    isolate: false,
    coverage: {
      enabled: true,
      provider: 'v8',
      reporter: ['text'],
      include: [
        'src/controller/{plan,decide-rollout}.ts',
        'src/index/rollout-row.ts',
        'src/status/{fleet-summary,health,health-states}.ts',
        'src/status/rotation-progress.ts',
        'src/controller/rekey-problems.ts',
        'src/revocation/{revocation,revocation-plans,restore-plans}.ts',
        'src/rotation/rotation.ts',
        'src/retirement/retirement.ts',
        'src/drift/checks/**',
      ],
      thresholds: { branches: 100 },
    },
  },
});

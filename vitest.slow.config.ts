import { configDefaults, defineConfig } from 'vitest/config';

/** What measures how long somebody waits, which other tests beside it would decide: after all others, by itself. */
const ALONE = ['test/break-glass/load.slow.test.ts'];

// Tests that take their time: processes killed and started again, time-outs lived through, fuzzing, each drift over the wire. `.ci/run` runs them too.
export default defineConfig({
  test: {
    environment: 'node',
    globalSetup: 'test/global-setup.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 3,
    allowOnly: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'slow',
          include: ['test/**/*.slow.test.ts'],
          exclude: [...configDefaults.exclude, ...ALONE],
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});

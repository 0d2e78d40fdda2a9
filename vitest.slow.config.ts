import { defineConfig } from 'vitest/config';

// Tests that take their time: processes killed and started again, time-outs lived through, fuzzing, each drift over the wire. `.ci/run` runs them too.
export default defineConfig({
  test: {
    include: ['test/**/*.slow.test.ts'],
    environment: 'node',
    globalSetup: 'test/global-setup.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 3,
    allowOnly: false,
  },
});

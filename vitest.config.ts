import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Processes killed and started again, time-outs lived through, fuzzing, each drift over the wire: `npm run test:slow`.
    exclude: ['test/**/*.slow.test.ts', 'test/browser/**'],
    environment: 'node',
    globalSetup: 'test/global-setup.ts',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 3,
    allowOnly: false,
  },
});

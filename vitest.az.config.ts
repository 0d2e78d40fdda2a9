import { defineConfig } from 'vitest/config';

// The real `az` against the local Azure: `npm run test:az`. Apart from the other tests, since it needs az.
export default defineConfig({
  test: {
    // Situations of the drift check whose findings print a command of az.
    include: ['test/az/**/*.az.ts', 'test/drift/drift.slow.test.ts'],
    env: { CMK_TEST_AZ: '1' },
    environment: 'node',
    globalSetup: 'test/global-setup.ts',
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // One core each: az spends its time on starting.
    maxWorkers: 2,
    allowOnly: false,
  },
});

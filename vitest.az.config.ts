import { defineConfig } from 'vitest/config';

// The real `az` against the local Azure: `npm run test:az`. Apart from the other tests, since it needs az.
export default defineConfig({
  test: {
    include: ['test/az/**/*.az.ts'],
    environment: 'node',
    globalSetup: 'test/global-setup.ts',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    allowOnly: false,
  },
});

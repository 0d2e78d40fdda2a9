import { defineConfig } from 'vitest/config';

// What is exhaustive over the wire, for tens of minutes: a part of `npm run test:long`. `npm run test:slow` has one of each promise.
export default defineConfig({
  test: {
    include: ['test/**/*.long.test.ts'],
    environment: 'node',
    globalSetup: 'test/global-setup.ts',
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    // Some of it measures how long something takes.
    maxWorkers: 1,
    allowOnly: false,
  },
});

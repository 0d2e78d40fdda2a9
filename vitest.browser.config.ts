import { defineConfig } from 'vitest/config';

// Pages in a real browser: `npm run test:browser`. Apart from the other tests, since it needs Chromium.
export default defineConfig({
  test: {
    include: ['test/browser/**/*.browser.ts'],
    environment: 'node',
    globalSetup: 'test/global-setup.ts',
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // They wait for the browser most of the time.
    maxWorkers: 3,
    allowOnly: false,
  },
});

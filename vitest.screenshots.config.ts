import { mergeConfig } from 'vitest/config';
import browser from './vitest.browser.config.ts';

// Pictures of every view, to be looked at one by one: `npm run screenshots`.
export default mergeConfig(
  { ...browser, test: { ...browser.test, include: [] } },
  { test: { include: ['test/browser/**/*.shots.ts'], testTimeout: 600_000, fileParallelism: false } },
);

import { configDefaults, defineConfig } from 'vitest/config';
import { UNIT_TESTS } from './vitest.unit.config.ts';

export default defineConfig({
  test: {
    environment: 'node',
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 3,
    allowOnly: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'wire',
          include: ['test/**/*.test.ts'],
          // Processes killed and started again, time-outs lived through, fuzzing: `npm run test:slow`.
          exclude: [...configDefaults.exclude, 'test/**/*.{slow,long}.test.ts', ...UNIT_TESTS],
          globalSetup: 'test/global-setup.ts',
        },
      },
      // They hold on to nothing that another one would see: what they import is loaded once.
      { extends: true, test: { name: 'unit', include: UNIT_TESTS, isolate: false } },
    ],
  },
});

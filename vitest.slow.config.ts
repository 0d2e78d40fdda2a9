import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What measures how long somebody waits, which other tests beside it would decide: after all others, by itself. */
const ALONE = ['test/break-glass/load.slow.test.ts'];

/** What takes a minute, the longest first: begun last, one of them would run on by itself when all others are done. */
const LONGEST = [
  'test/e2e/now.slow.test.ts',
  'test/infra/entra.slow.test.ts',
  'test/e2e/rekey.slow.test.ts',
  'test/drift/drift.slow.test.ts',
  'test/drift/local-roles.slow.test.ts',
  'test/drift/fixes.slow.test.ts',
  'test/local-host/start.slow.test.ts',
  'test/e2e/notifications.slow.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const long = LONGEST.flatMap((name) => files.filter(({ moduleId }) => moduleId.endsWith(`/${name}`)));
    return [...long, ...(await super.sort(files.filter((file) => !long.includes(file))))];
  }
}

// Tests that take their time: processes killed and started again, time-outs lived through, fuzzing. `.ci/run` runs them too.
export default defineConfig({
  test: {
    environment: 'node',
    globalSetup: 'test/global-setup.ts',
    // Guards against what never ends; three times what the slowest one without a limit of its own takes on a busy machine.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // More than twice the cores that it is meant for: much of it waits for a time to come.
    maxWorkers: 5,
    sequence: { sequencer: LongestFirst },
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

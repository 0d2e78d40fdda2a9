import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest, the longest first: begun last, one of them would run on by itself when all others are done. */
const LONGEST = [
  'test/drift/drift.slow.test.ts',
  'test/docs/commands.slow.test.ts',
  'test/e2e/now.slow.test.ts',
  'test/infra/entra.slow.test.ts',
  'test/drift/local-roles.slow.test.ts',
  'test/drift/fixes.slow.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const long = LONGEST.flatMap((name) => files.filter(({ moduleId }) => moduleId.endsWith(`/${name}`)));
    return [...long, ...(await super.sort(files.filter((file) => !long.includes(file))))];
  }
}

// Tests that take their time: processes killed and started again, time-outs lived through. `.ci/run` runs them too.
export default defineConfig({
  test: {
    include: ['test/**/*.slow.test.ts'],
    environment: 'node',
    globalSetup: 'test/global-setup.ts',
    // Guards against what never ends: how long something takes is the machine's.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // More than twice the cores that it is meant for: much of it waits for a time to come.
    maxWorkers: 5,
    sequence: { sequencer: LongestFirst },
    allowOnly: false,
  },
});

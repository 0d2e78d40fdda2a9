import { expect, it } from 'vitest';
import { CmkError } from '../../src/errors/errors.ts';
import { requireUsableVersion } from '../../src/revocation/usable-key.ts';
import { KEY, NOW, version } from '../drift/checks/subjects.ts';

function refusalOf(disabled = version(10, { enabled: false })): CmkError {
  try {
    requireUsableVersion(KEY, [disabled], undefined, NOW);
  } catch (error) {
    if (error instanceof CmkError) return error;
  }
  throw new Error('The version is not refused.');
}

// The record of its revocation may have been removed by another tool.
it('The error for a disabled version tells where to ask, and prints no command that ends a revocation', () => {
  const { reason, message, nextStep } = refusalOf();
  expect([reason, message]).toEqual(['KeyDisabled', expect.stringMatching(/tags show no revocation/)]);
  expect(nextStep).toMatch(/^Ask who disabled it.+`cmk audit list --key kv-files\/files-key`.+cmk key restore/);
  expect(nextStep).not.toMatch(/--enabled true|key create|key rotate/);
});

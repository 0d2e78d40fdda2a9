import pMap from 'p-map';
import { describeFailure, type Failure } from '../azure/failure.ts';
import { retryOnce } from '../azure/retry-once.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { VersionChange } from './revocation-plans.ts';

/** Versions that are changed at the same time: Key Vault takes thousands of such calls in ten seconds. */
const CONCURRENCY = 32;

interface ChangeServices {
  readonly keys: Pick<Keys, 'getVersion' | 'updateVersion'>;
  readonly sleep: (ms: number) => Promise<void>;
}

/** What came of one change: the version as Key Vault answered it, or why there is no answer. */
export interface AppliedChange {
  readonly change: VersionChange;
  readonly answer: KeyVersion | undefined;
  readonly failure: Failure | undefined;
  /** False: nothing was sent, since the fresh read of the version left nothing to write, or failed. */
  readonly written: boolean;
}

/**
 * One wave: every change as soon as it is known, none held up by another's trouble.
 *
 * A write that replaces tags reads the version right before: no other caller's record may be lost, and a version that a
 * person has just disabled is left as it is, without a record, so that a restore leaves it too. The record goes with the
 * disabling, in one write, so that a late write differs from a person's. If the read fails, a
 * version is still disabled, by what the list said of it; every other change is skipped, because it would write stale tags.
 */
export function applyChanges(
  key: ManagedKey,
  changes: Iterable<VersionChange> | AsyncIterable<VersionChange>,
  { keys, sleep }: ChangeServices,
): Promise<AppliedChange[]> {
  const applyChange = async (change: VersionChange): Promise<AppliedChange> => {
    const { again } = change;
    const { version } = change.version;
    let planned: Pick<VersionChange, 'enabled' | 'tags'> = change;
    if (again) {
      try {
        const fresh = await keys.getVersion(key, version);
        if (fresh) planned = again(fresh);
        else if (change.enabled !== false) return { change, answer: undefined, failure: undefined, written: false };
        const isNothing = planned.enabled === undefined && !planned.tags;
        if (fresh && isNothing) return { change, answer: fresh, failure: undefined, written: false };
      } catch (error) {
        const failure = describeFailure(error);
        if (change.enabled !== false) return { change, answer: undefined, failure, written: false };
      }
    }
    const { enabled, tags } = planned;
    const update = { ...(enabled === undefined ? {} : { enabled }), ...(tags ? { tags: { ...tags } } : {}) };
    try {
      const answer = await retryOnce(() => keys.updateVersion(key, version, update), sleep).catch((error: unknown) => {
        // Disabling counts more than the record: if that is refused, it is disabled without.
        if (!tags || enabled !== false || describeFailure(error).kind !== 'refused') throw error;
        return retryOnce(() => keys.updateVersion(key, version, { enabled }), sleep);
      });
      return { change, answer, failure: undefined, written: true };
    } catch (error) {
      return { change, answer: undefined, failure: describeFailure(error), written: true };
    }
  };
  return pMap(changes, applyChange, { concurrency: CONCURRENCY });
}

import pMap from 'p-map';
import { describeFailure, type Failure } from '../azure/failure.ts';
import { retryOnce } from '../azure/retry-once.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { VersionChange } from './revocation-plans.ts';

/** Maximum number of concurrent version changes: Key Vault allows thousands of such calls in ten seconds. */
const CONCURRENT_CHANGES = 32;

/** Ports for changing the versions of a key. `M`: further methods of the client. */
export interface KeyPorts<M extends keyof Keys = never> {
  readonly keys: Pick<Keys, M | 'getVersion' | 'updateVersion'>;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Result of a change: the version in Key Vault's answer, or the reason why there is no answer. */
export interface AppliedChange {
  readonly change: VersionChange;
  readonly answer: KeyVersion | undefined;
  readonly failure: Failure | undefined;
  /** False: nothing was sent, because the new read of the version failed or made the write unnecessary. */
  readonly written: boolean;
}

/**
 * Applies a wave of changes. Each change starts immediately and independently of failures of other changes.
 *
 * A write that replaces tags reads the version immediately before the write, so it cannot remove another caller's
 * record. It skips a version that a person has just disabled, so a restore does not enable that version. The record and
 * the disabled state go into a single write, so a late write differs from a person's change. If the read fails, a
 * version is still disabled, based on the list. Every other change is skipped, because it would write stale tags.
 */
export function applyChanges(
  key: ManagedKey,
  changes: Iterable<VersionChange> | AsyncIterable<VersionChange>,
  { keys, sleep }: Pick<KeyPorts, 'keys' | 'sleep'>,
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
        // Disabling is more important than the record: if Key Vault rejects the record, the version is disabled without
        // it.
        if (!tags || enabled !== false || describeFailure(error).kind !== 'refused') throw error;
        return retryOnce(() => keys.updateVersion(key, version, { enabled }), sleep);
      });

      return { change, answer, failure: undefined, written: true };
    } catch (error) {
      return { change, answer: undefined, failure: describeFailure(error), written: true };
    }
  };

  return pMap(changes, applyChange, { concurrency: CONCURRENT_CHANGES });
}

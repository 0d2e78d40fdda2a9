import pMap from 'p-map';
import { describeFailure, type Failure } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { VersionChange } from './revocation.ts';

/** Versions that are changed at the same time: Key Vault takes thousands of such calls in ten seconds. */
const CONCURRENCY = 32;

export interface Waiting {
  readonly keys: Keys;
  readonly sleep: (ms: number) => Promise<void>;
}

/** What came of one change: the version as Key Vault answered it, or why there is no answer. */
export interface AppliedChange {
  readonly change: VersionChange;
  readonly answer: KeyVersion | undefined;
  readonly failure: Failure | undefined;
}

/** One wave: every change at once, none held up by another's trouble. */
export function applyChanges(
  key: ManagedKey,
  changes: readonly VersionChange[],
  services: Waiting,
): Promise<AppliedChange[]> {
  return pMap(changes, (change) => applyChange(key, change, services), { concurrency: CONCURRENCY });
}

async function applyChange(key: ManagedKey, change: VersionChange, services: Waiting): Promise<AppliedChange> {
  const { version, enabled, tags } = change;
  const write = (withTags: boolean): Promise<KeyVersion> =>
    services.keys.updateVersion(key, version.version, { enabled, ...(withTags && tags ? { tags } : {}) });
  try {
    const answer = await twice(() => write(true), services.sleep);
    return { change, answer, failure: undefined };
  } catch (error) {
    const failure = describeFailure(error);
    // Closing counts more than the record of it: if the tag is what is refused, close without.
    if (failure.kind !== 'refused' || enabled || !tags) return { change, answer: undefined, failure };
    try {
      return { change, answer: await twice(() => write(false), services.sleep), failure: undefined };
    } catch (second) {
      return { change, answer: undefined, failure: describeFailure(second) };
    }
  }
}

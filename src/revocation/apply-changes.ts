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

/** One wave: every change as soon as it is known, none held up by another's trouble. */
export function applyChanges(
  key: ManagedKey,
  changes: Iterable<VersionChange> | AsyncIterable<VersionChange>,
  services: ChangeServices,
): Promise<AppliedChange[]> {
  return pMap(changes, (change) => applyChange(key, change, services), { concurrency: CONCURRENCY });
}

/**
 * A write that replaces tags reads the version right before: no other caller's record may be lost, and a version that a
 * person has just disabled is left as it is, without a record, so that a restore leaves it too. The record goes with the
 * disabling, in one write, so that a late write differs from a person's. If the read fails, a
 * version is still disabled, by what the list said of it; every other change is skipped, because it would write stale tags.
 */
async function applyChange(key: ManagedKey, change: VersionChange, services: ChangeServices): Promise<AppliedChange> {
  const { version, again } = change;
  try {
    const read = again && (await readAgain(key, version, services));
    const { fresh } = read ?? {};
    if (read && !fresh && change.enabled !== false)
      return { change, answer: undefined, failure: read.failure, written: false };
    const { enabled, tags } = fresh && again ? again(fresh) : change;
    const nothing = enabled === undefined && !tags;
    if (fresh && nothing) return { change, answer: fresh, failure: undefined, written: false };
    const answer = await write(key, { version, enabled, tags }, services);
    return { change, answer, failure: undefined, written: true };
  } catch (error) {
    return { change, answer: undefined, failure: describeFailure(error), written: true };
  }
}

interface ReadAgain {
  /** Undefined: Key Vault does not show the version, or the read failed. */
  readonly fresh?: KeyVersion | undefined;
  readonly failure?: Failure;
}

async function readAgain(
  key: ManagedKey,
  { version }: KeyVersion,
  { keys }: Pick<ChangeServices, 'keys'>,
): Promise<ReadAgain> {
  try {
    return { fresh: await keys.getVersion(key, version) };
  } catch (error) {
    return { failure: describeFailure(error) };
  }
}

/** Disabling counts more than the record: if that is refused, it is disabled without. */
async function write(key: ManagedKey, change: VersionChange, services: ChangeServices): Promise<KeyVersion> {
  try {
    return await update(key, change, services);
  } catch (error) {
    if (!change.tags || change.enabled !== false || describeFailure(error).kind !== 'refused') throw error;
    return update(key, { version: change.version, enabled: false }, services);
  }
}

function update(key: ManagedKey, { version, enabled, tags }: VersionChange, services: ChangeServices) {
  const change = { ...(enabled === undefined ? {} : { enabled }), ...(tags ? { tags: { ...tags } } : {}) };
  return retryOnce(() => services.keys.updateVersion(key, version.version, change), services.sleep);
}

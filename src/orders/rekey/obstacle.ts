import { describe, describeFailure } from '../../azure/failure.ts';
import { type KeyVersion, newestUsableVersion, newestVersion } from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Reason } from '../../reasons.ts';
import { openRevocation } from '../../revocation/revocation.ts';

interface ListedKeys {
  listVersions(key: ManagedKey): Promise<readonly KeyVersion[]>;
}

/** Why an order waits. */
export interface Obstacle {
  readonly reason: Reason;
  readonly detail: string;
}

/**
 * What keeps everything from moving between two keys now. Whether a key is revoked cannot be told either where it cannot be
 * read. Never throws.
 */
export async function obstacleOf(
  from: ManagedKey,
  to: ManagedKey,
  { keys, now }: { readonly keys: ListedKeys; readonly now: () => Date },
): Promise<Obstacle | undefined> {
  const [of, onto] = await Promise.all([listed(from, keys), listed(to, keys)]);
  if ('reason' in of) return of;
  return 'reason' in onto ? onto : versionObstacle(of, onto, now());
}

async function listed(key: ManagedKey, keys: ListedKeys): Promise<Listed | Obstacle> {
  try {
    return { key, versions: await keys.listVersions(key) };
  } catch (error) {
    const failure = describeFailure(error);
    const reason = failure.kind === 'forbidden' ? 'VaultUnreadable' : 'ServiceUnavailable';
    return { reason, detail: `${key.id} cannot be read: ${describe(failure)}` };
  }
}

interface Listed {
  readonly key: ManagedKey;
  readonly versions: readonly KeyVersion[];
}

/** The same, decided by what was listed. */
export function versionObstacle(from: Listed, to: Listed, now: Date): Obstacle | undefined {
  for (const { key, versions } of [from, to]) {
    // Whether it is revoked cannot be told of a key that is not there.
    if (versions.length === 0) return { reason: 'KeyNotFound', detail: `${key.id} has no version: it was deleted.` };
    const revocation = openRevocation(versions, now);
    if (revocation) {
      const detail = `${key.id} was revoked on ${revocation.revokedOn.toISOString()}; nothing moves off or onto it.`;
      return { reason: 'RevocationOpen', detail };
    }
  }
  const target = newestUsableVersion(to.versions, now);
  if (!target) return { reason: 'NoUsableVersion', detail: `${to.key.id} has no version that can be used.` };
  // Storage takes the newest version of all for an automatic use.
  if (newestVersion(to.versions) !== target) {
    return { reason: 'NewestVersionUnusable', detail: `The newest version of ${to.key.id} cannot be used.` };
  }
  return undefined;
}

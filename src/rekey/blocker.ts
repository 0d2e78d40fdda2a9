import { describe, describeFailure } from '../azure/failure.ts';
import { type KeyVersion, newestUsableVersion, newestVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';

interface ListedKeys {
  listVersions(key: ManagedKey): Promise<readonly KeyVersion[]>;
}

/** Why an order moves nothing now. */
export interface Blocker {
  readonly reason: Reason;
  readonly detail: string;
}

/**
 * Lists both keys and finds why nothing may move between them now. A key that cannot be read blocks too, since it may be
 * revoked. Never throws.
 */
export async function findBlocker(
  from: ManagedKey,
  to: ManagedKey,
  { keys, now }: { readonly keys: ListedKeys; readonly now: () => Date },
): Promise<Blocker | undefined> {
  const [of, onto] = await Promise.all([listed(from, keys), listed(to, keys)]);
  if ('reason' in of) return of;
  return 'reason' in onto ? onto : findVersionBlocker(of, onto, now());
}

async function listed(key: ManagedKey, keys: ListedKeys): Promise<Listed | Blocker> {
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

/** The same for keys that are listed already. */
export function findVersionBlocker(from: Listed, to: Listed, now: Date): Blocker | undefined {
  for (const { key, versions } of [from, to]) {
    // A deleted key does not show whether it is revoked.
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

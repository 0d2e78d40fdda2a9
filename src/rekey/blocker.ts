import { describe, describeFailure } from '../azure/failure.ts';
import { findRekeyBlocker, type ListedKey, type RekeyBlocker } from '../fleet/plan.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';

/** Why an order moves nothing now. */
export interface Blocker {
  readonly reason: Reason;
  readonly detail: string;
}

const WORDS: Readonly<Record<Exclude<RekeyBlocker['reason'], 'RevocationOpen'>, string>> = {
  KeyNotFound: 'does not exist: it was deleted, or there never was such a key.',
  NoUsableVersion: 'has no version that can be used.',
  NewestVersionUnusable: 'has a newest version that cannot be used.',
};

/**
 * Lists both keys and finds why nothing may move between them now. A key that cannot be read blocks too, since it may be
 * revoked. Never throws.
 */
export async function findBlocker(
  from: ManagedKey,
  to: ManagedKey,
  {
    keys,
    now,
  }: {
    readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> };
    readonly now: () => Date;
  },
): Promise<Blocker | undefined> {
  const listed = async (key: ManagedKey): Promise<ListedKey | Blocker> => {
    try {
      return { key, versions: await keys.listVersions(key) };
    } catch (error) {
      const failure = describeFailure(error);
      const reason = failure.kind === 'forbidden' ? 'VaultUnreadable' : 'ServiceUnavailable';
      return { reason, detail: `${key.id} cannot be read: ${describe(failure)}` };
    }
  };
  const [of, onto] = await Promise.all([listed(from), listed(to)]);
  if ('reason' in of) return of;
  if ('reason' in onto) return onto;
  const blocker = findVersionBlocker(of, onto, now());
  return blocker && { reason: blocker.reason, detail: blocker.detail };
}

/** The same for keys that are listed already, with the key that blocks. */
export function findVersionBlocker(
  from: ListedKey,
  to: ListedKey,
  now: Date,
): (Blocker & { readonly key: ManagedKey }) | undefined {
  const blocker = findRekeyBlocker(from, to, now);
  if (!blocker) return undefined;
  const { reason, key } = blocker;
  if (reason !== 'RevocationOpen') return { reason, detail: `${key.id} ${WORDS[reason]}`, key };
  const revocation = openRevocation((key === from.key ? from : to).versions, now);
  const on = revocation ? ` on ${revocation.revokedOn.toISOString()}` : '';
  return { reason, detail: `${key.id} was revoked${on}; nothing moves off or onto it.`, key };
}

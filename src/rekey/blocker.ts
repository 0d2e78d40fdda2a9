import { describe, describeFailure } from '../azure/failure.ts';
import { findRekeyBlocker, type ListedKey, type RekeyBlocker } from '../fleet/plan.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';

/** Why an order moves no use now. */
export interface Blocker {
  readonly reason: Reason;
  readonly detail: string;
}

const WORDS: Readonly<Record<Exclude<RekeyBlocker['reason'], 'RevocationOpen'>, string>> = {
  KeyNotFound: 'does not exist: it was deleted, or the name is wrong.',
  NoUsableVersion: 'has no usable version.',
  NewestVersionUnusable: 'has a newest version that is not usable.',
};

/**
 * Lists both keys, and finds why no use may move between them now. An unreadable key also blocks, since it may be
 * revoked. Never throws.
 */
export async function findBlocker(
  from: ManagedKey,
  to: ManagedKey,
  { keys, now }: { readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> }; now(): Date },
): Promise<(Blocker & { readonly key: ManagedKey }) | undefined> {
  const listed: ListedKey[] = [];
  for (const key of [from, to]) {
    try {
      listed.push({ key, versions: await keys.listVersions(key) });
    } catch (error) {
      const failure = describeFailure(error);
      const reason = failure.kind === 'forbidden' ? 'VaultUnreadable' : 'ServiceUnavailable';
      return { reason, detail: `The app cannot read ${key.id}: ${describe(failure)}`, key };
    }
  }
  const [of, onto] = listed as [ListedKey, ListedKey];
  const blocker = findRekeyBlocker(of, onto, now());
  if (!blocker) return undefined;
  const { reason, key } = blocker;
  if (reason !== 'RevocationOpen') return { reason, detail: `${key.id} ${WORDS[reason]}`, key };
  const revocation = openRevocation((key === from ? of : onto).versions, now());
  const on = revocation ? ` on ${revocation.revokedOn.toISOString()}` : '';
  return { reason, detail: `${key.id} was revoked${on}; no use moves off or onto it.`, key };
}

import { abortAfter } from '../azure/deadline.ts';
import { type BlastRadiusServices, readBlastRadius } from '../key-users/blast-radius.ts';
import type { KeyDependents } from '../key-users/dependent.ts';
import { includesOwnStorage, KnownAccounts } from '../key-users/known-dependents.ts';
import { excludeAccounts, type OtherDependents } from '../key-users/other-dependents.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { SearchSettings } from '../settings/settings.ts';
import { type KeyView, type KeyViewPorts, readKeyView, readPolicy } from './key-view.ts';

/** Who uses a key, and what the app has stored about it. */
export interface KeyFacts {
  readonly view: KeyView;
  readonly dependents: KeyDependents;
  /** Whether one of the dependents is known to be the app's own storage. */
  readonly selfLockout: boolean;
}

type IndexedFactsPorts = KeyViewPorts & {
  readonly settings: SearchSettings;
  readonly others: () => Promise<OtherDependents>;
};

/**
 * Reads who uses a key from the fleet index. The page reads the status of a key every few seconds, and Azure Storage
 * admits too few lists of accounts, shares and scopes for that.
 *
 * @param ms time limit in milliseconds
 */
export async function readIndexedFacts(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  ms: number,
  ports: IndexedFactsPorts,
): Promise<KeyFacts> {
  const uses = new KnownAccounts();
  const read = (signal: AbortSignal) => readKeyView(key, versions, readPolicy(key, ports, signal), ports, signal, uses);
  const [{ view, asOf, usersUnread }, others] = await Promise.all([abortAfter(read, ms), ports.others()]);

  const accounts = uses.all();
  const otherResources = excludeAccounts(others.otherResources, accounts);
  const unread = [...usersUnread, ...others.unread];

  return {
    view,
    dependents: {
      complete: unread.length === 0,
      asOf,
      accounts,
      otherResources,
      unread,
      outOfSight: others.outOfSight,
    },
    selfLockout: includesOwnStorage({ accounts, otherResources }, ports.settings),
  };
}

/** Reads who uses a key from Azure itself, without the app's storage. @param ms time limit in milliseconds */
export async function readLiveFacts(key: ManagedKey, services: BlastRadiusServices, ms: number): Promise<KeyFacts> {
  const radius = await abortAfter((signal) => readBlastRadius(key, services, signal), ms);
  return { view: NOTHING_KEPT, dependents: radius, selfLockout: radius.selfLockout === true };
}

const NOTHING_KEPT: KeyView = {
  unread: [
    {
      what: 'the stored data about the key',
      reason: 'FleetIndexUnavailable',
      detail: "No setting names the app's storage (AzureWebJobsStorage__accountName, CMK_VAULTS) or its API (CMK_API).",
    },
  ],
};

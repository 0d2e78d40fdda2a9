import { ReadCache } from '../azure/read-cache.ts';
import { getKnown, type Part } from '../azure/read-or-why.ts';
import type { UnreadView } from '../key-users/dependent.ts';
import type { KnownAccounts } from '../key-users/known-dependents.ts';
import type { Keys, RotationPolicy } from '../keys/key-client.ts';
import { readPolicyRight } from '../keys/key-rights.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { findPause } from '../orders/standing-orders.ts';
import type { KeyStatus } from './key-schemas.ts';
import { type KeyUsers, type KeyUsersPorts, readKeyUsers, WHO } from './key-users.ts';
import { computeCryptoPeriodEnd, predictNextRotation } from './next-rotation.ts';
import { listUnreadViews, readInTime } from './read-in-time.ts';

/** Time to live of a rotation policy, which operators rarely change, in milliseconds. */
const POLICY_CACHE_MS = 5 * 60_000;

export type KeyViewPorts = KeyUsersPorts & { readonly keys: Pick<Keys, 'listVersions' | 'rotationPolicy'> };

/** Fields that the list of keys and the status of a key share. */
export type KeyView = Pick<
  KeyStatus,
  'paused' | 'nextRotation' | 'cryptoPeriodEndsOn' | 'users' | 'rotation' | 'rotationCost' | 'unread'
>;

const policies = new ReadCache<RotationPolicy>(POLICY_CACHE_MS);

interface ReadKeyView {
  readonly view: KeyView;
  /** See {@link KeyUsers}. */
  readonly asOf: string | undefined;
  /** Why the app does not know all users. */
  readonly usersUnread: UnreadView[];
}

/** @param accounts receives each use */
export async function readKeyView(
  key: ManagedKey,
  versions: readonly KeyVersion[] | undefined,
  reading: Promise<Part<RotationPolicy>>,
  ports: KeyViewPorts,
  signal: AbortSignal,
  accounts?: KnownAccounts,
): Promise<ReadKeyView> {
  const what = { resource: key.id, what: WHO, action: '' };
  const [policy, counted, orders] = await Promise.all([
    reading,
    readInTime(what, () => readKeyUsers(key, versions ?? [], ports, signal, accounts), signal),
    ports.orderStore.recent(),
  ]);

  const now = ports.now();
  const read = getKnown(counted);
  const rules = getKnown(policy);
  const usersUnread = [...listUnreadViews(counted), ...(read?.unread ?? [])];
  const view = {
    paused: findPause(orders, key.id, now),
    nextRotation: versions && rules && predictNextRotation(versions, rules, isUsed(read), now),
    cryptoPeriodEndsOn: versions && computeCryptoPeriodEnd(versions, rules, now)?.toISOString(),
    users: read?.users,
    rotation: read?.rotation,
    rotationCost: read?.cost,
    unread: [...listUnreadViews(policy), ...usersUnread],
  };

  return { view, asOf: read?.asOf, usersUnread };
}

export function readPolicy(
  key: ManagedKey,
  { keys }: Pick<KeyViewPorts, 'keys'>,
  signal: AbortSignal,
): Promise<Part<RotationPolicy>> {
  const what = { resource: key.id, what: 'the rotation policy of the key', action: readPolicyRight(key.vault) };

  return readInTime(
    what,
    async () => (await policies.read(key.id.toLowerCase(), () => keys.rotationPolicy(key))).value,
    signal,
  );
}

/** Whether any resource uses the key; unknown counts as used. */
function isUsed(read: KeyUsers | undefined): boolean {
  return read?.users === undefined || read.users.accounts + read.users.scopes > 0;
}

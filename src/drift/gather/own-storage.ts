import type { UnreadPart } from '../../azure/read-or-why.ts';
import { isStorageAccount } from '../../key-users/other-dependents.ts';
import type { AppSubject, KeySubject } from '../checks/subjects.ts';
import type { SubscriptionResult } from './gather-subscription.ts';
import { PARTS } from './parts.ts';

/**
 * Returns what is known of the keys on the app's own storage. Its accounts may lie outside of the subscriptions that the app
 * reads, where only Resource Graph can show that one uses a managed key.
 *
 * @param own names of the app's own storage accounts
 */
export function evaluateOwnStorage(
  own: readonly string[],
  subscriptions: readonly Pick<SubscriptionResult, 'lockedOutBy' | 'ownSeen'>[],
  keys: readonly Pick<KeySubject, 'key' | 'others'>[],
): Pick<AppSubject, 'lockedOutBy' | 'unread'> {
  const elsewhere = keys.flatMap(({ key, others = [] }) =>
    others
      .filter((other) => isStorageAccount(other) && own.includes(other.name.toLowerCase()))
      .map(({ id, name }) => ({ account: id, name: name.toLowerCase(), key: key.id })),
  );

  const seen = new Set([...subscriptions.flatMap(({ ownSeen }) => ownSeen), ...elsewhere.map(({ name }) => name)]);

  return {
    lockedOutBy: [
      ...subscriptions.flatMap(({ lockedOutBy }) => lockedOutBy),
      ...elsewhere.map(({ account, key }) => ({ account, key })),
    ],
    unread: own.filter((name) => !seen.has(name)).map(describeUnread),
  };
}

function describeUnread(name: string): UnreadPart {
  const detail =
    'No subscription that the app reads contains it, so the check does not know whether it uses a managed key (SelfLockout). Check it yourself, or add its subscription to CMK_SUBSCRIPTIONS and let the app read it.';
  return { ...PARTS.ownStorage(name), kind: 'notFound', detail };
}

import { readOnce } from '../../azure/read-once.ts';
import { type Part, readPart, type What } from '../../azure/read-or-why.ts';
import { parseResourceId, type ResourceId } from '../../azure/resource-id.ts';
import type { IdentityState } from '../../identities/key-access.ts';
import { type GatherServices, PARTS } from './parts.ts';

/** Maximum number of identities per subscription to read separately if the list lacks them. */
const MAX_LOOKUPS = 200;

/**
 * Reads the state of each user-assigned identity once, by its ARM id. Lists the identities of a subscription once.
 * Reads an identity separately if the list lacks it, because only its own 404 proves its deletion. It also does so if
 * Azure rejects the list: the app may have a role on one resource group.
 */
export function createIdentityReader({ identities }: GatherServices, signal: AbortSignal | undefined) {
  const lookups = new Map<string, number>();

  /** Principal ids by lower-case ARM id of the identity. */
  const lists = readOnce((subscription: string) =>
    readPart(listOf(subscription), async () => {
      const principals = new Map<string, string>();
      for await (const { id, principalId } of identities.list(subscription, signal)) {
        principals.set(id.toLowerCase(), principalId);
      }
      return principals;
    }),
  );

  const single = readOnce(
    async (id: ResourceId): Promise<Part<IdentityState>> => {
      const { subscriptionId } = id;
      const count = (lookups.get(subscriptionId) ?? 0) + 1;
      lookups.set(subscriptionId, count);

      if (count > MAX_LOOKUPS) {
        const detail = `The list lacks more than ${MAX_LOOKUPS} identities of accounts. The app did not read the others.`;
        return { unread: { ...listOf(subscriptionId), kind: 'refused', detail } };
      }

      return readPart<IdentityState>(PARTS.identity(id.id), async () => {
        const found = await identities.get(id, signal);
        return found ? { is: 'there', principalId: found.principalId } : { is: 'deleted' };
      });
    },
    ({ id }) => id,
  );

  return async (id: string): Promise<Part<IdentityState>> => {
    const parsed = parseResourceId(id);
    if (!parsed) {
      return { unread: { ...PARTS.identity(id), kind: 'unexpected', detail: 'It is not the ARM id of an identity.' } };
    }

    const list = await lists.get(parsed.subscriptionId);
    if ('value' in list) {
      const principalId = list.value.get(id.toLowerCase());
      return principalId === undefined ? single.get(parsed) : { value: { is: 'there', principalId } };
    }

    if (list.unread.kind !== 'forbidden') return list;

    const alone = await single.get(parsed);

    // Azure rejects the single reads too, so report only the subscription.
    return 'unread' in alone && ['forbidden', 'refused'].includes(alone.unread.kind) ? list : alone;
  };
}

/** Failed reads that hide whether an identity exists. */
export function listUnreadOfIdentity(id: string | undefined): readonly What[] {
  const parsed = id === undefined ? undefined : parseResourceId(id);
  return parsed ? [PARTS.identity(parsed.id), listOf(parsed.subscriptionId)] : [];
}

function listOf(subscriptionId: string): What {
  return PARTS.identities(`/subscriptions/${subscriptionId}`);
}

import { type Part, readPart, type What } from '../../azure/read-or-why.ts';
import { parseResourceId, type ResourceId } from '../../azure/resource-id.ts';
import type { Identities } from '../../identities/identity-client.ts';
import type { IdentityState } from '../../identities/key-access.ts';

/** Maximum number of identities per subscription to read separately if the list lacks them. */
const MAX_LOOKUPS = 200;
const ACTION = 'Microsoft.ManagedIdentity/userAssignedIdentities/read';

/** Principal ids by lower-case ARM id of the identity. */
type Principals = ReadonlyMap<string, string>;

/**
 * The user-assigned identities of accounts. Lists the identities of a subscription once. Reads an identity separately
 * if the list lacks it, because only its own 404 proves its deletion. It also does so if Azure rejects the list: the
 * app may have a role on one resource group.
 */
export class GatheredIdentities {
  readonly #identities: Identities;
  readonly #signal: AbortSignal | undefined;
  readonly #lists = new Map<string, Promise<Part<Principals>>>();
  readonly #lookups = new Map<string, Promise<Part<IdentityState>>>();
  readonly #counts = new Map<string, number>();

  constructor({ identities }: { readonly identities: Identities }, signal: AbortSignal | undefined) {
    this.#identities = identities;
    this.#signal = signal;
  }

  /** Reads each identity once, regardless of the number of its accounts. */
  async stateOf(id: string): Promise<Part<IdentityState>> {
    const parsed = parseResourceId(id);
    if (!parsed) {
      const detail = 'It is not the ARM id of an identity.';
      return { unread: { resource: id, what: 'the identity', action: ACTION, kind: 'unexpected', detail } };
    }
    const list = await this.#listOf(parsed.subscriptionId);
    if ('value' in list) {
      const principalId = list.value.get(id.toLowerCase());
      return principalId === undefined ? this.#read(parsed) : { value: { is: 'there', principalId } };
    }
    if (list.unread.kind !== 'forbidden') return list;
    const alone = await this.#read(parsed);
    // Azure rejects the single reads too, so report only the subscription.
    return 'unread' in alone && ['forbidden', 'refused'].includes(alone.unread.kind) ? list : alone;
  }

  #listOf(subscriptionId: string): Promise<Part<Principals>> {
    const known = this.#lists.get(subscriptionId);
    if (known) return known;
    const reading = readPart(listOf(subscriptionId), async () => {
      const principals = new Map<string, string>();
      for await (const { id, principalId } of this.#identities.list(subscriptionId, this.#signal)) {
        principals.set(id.toLowerCase(), principalId);
      }
      return principals;
    });
    this.#lists.set(subscriptionId, reading);
    return reading;
  }

  #read(id: ResourceId): Promise<Part<IdentityState>> {
    const known = this.#lookups.get(id.id.toLowerCase());
    if (known) return known;
    const lookups = (this.#counts.get(id.subscriptionId) ?? 0) + 1;
    if (lookups > MAX_LOOKUPS) {
      const detail = `The list lacks more than ${MAX_LOOKUPS} identities of accounts. The app did not read the others.`;
      return Promise.resolve({ unread: { ...listOf(id.subscriptionId), kind: 'refused', detail } });
    }
    this.#counts.set(id.subscriptionId, lookups);
    const what = identityItself(id.id);
    const reading = readPart<IdentityState>(what, async () => {
      const found = await this.#identities.get(id, this.#signal);
      return found ? { is: 'there', principalId: found.principalId } : { is: 'deleted' };
    });
    this.#lookups.set(id.id.toLowerCase(), reading);
    return reading;
  }
}

/** Failed reads that hide whether an identity exists. */
export function unreadOfIdentity(id: string | undefined): readonly What[] {
  const parsed = id === undefined ? undefined : parseResourceId(id);
  return parsed ? [identityItself(parsed.id), listOf(parsed.subscriptionId)] : [];
}

function identityItself(resource: string): What {
  return { resource, what: 'the identity', action: ACTION };
}

function listOf(subscriptionId: string): What {
  return {
    resource: `/subscriptions/${subscriptionId}`,
    what: 'the user-assigned identities of the subscription',
    action: ACTION,
  };
}

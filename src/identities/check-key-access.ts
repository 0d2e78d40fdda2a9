import pMap from 'p-map';
import { untilAborted } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import type { Account } from '../fleet/account.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { VaultProperties, Vaults } from '../vaults/vault-client.ts';
import type { Authorization } from './authorization-client.ts';
import type { Identities } from './identity-client.ts';
import {
  type IdentityState,
  type KeyAccess,
  keyAccess,
  keyIdentity,
  userAssignedIdentity,
  type VaultAccess,
} from './key-access.ts';
import { LocalAccessReader, type LocalAccessServices } from './local-access-reader.ts';

export interface KeyAccessServices extends LocalAccessServices {
  readonly vaults: Vaults;
  readonly authorization: Authorization;
  readonly identities: Identities;
}

const NOT_READ: VaultAccess = { model: 'unknown', why: 'It was not read in time.' };
/** A vault that is known by its name alone has no ARM id. */
const NOT_FOUND: VaultAccess = { model: 'unknown', why: 'Your sign-in does not see the vault.' };
const NOT_SEEN: IdentityState = { is: 'unknown', why: 'Whether the identity exists was not read in time.' };

/**
 * Whether each account's identity exists and may use the key, read afresh: the vault once, each user-assigned identity
 * once, and the roles of each principal once, memberships of groups included. It never throws; what cannot be read, or not
 * before the signal aborts, is `unknown`.
 */
export async function checkKeyAccess(
  accounts: readonly Account[],
  key: ManagedKey,
  services: KeyAccessServices,
  signal?: AbortSignal,
): Promise<KeyAccess[]> {
  const principals = new Set(
    accounts.flatMap((account) => {
      const identity = keyIdentity(account);
      return 'principalId' in identity ? [identity.principalId.toLowerCase()] : [];
    }),
  );
  const known = new Map<string, VaultAccess>();
  const read = async (): Promise<void> => {
    if (key.vault.id === '') {
      for (const principal of principals) known.set(principal, NOT_FOUND);
      return;
    }
    let vault: VaultProperties;
    try {
      vault = await services.vaults.get(key.vault, signal);
    } catch (error) {
      for (const principal of principals) known.set(principal, unreadable(`The vault ${key.vault.name}`, error));
      return;
    }
    if (vault.accessModel === 'local') {
      const access = await new LocalAccessReader(key.vault, services, signal).ofKey(key.name);
      for (const principal of principals) known.set(principal, access);
      return;
    }
    const keyId = `${key.vault.id}/keys/${key.name}`;
    await pMap(
      principals,
      async (principal) => {
        if (signal?.aborted) return;
        known.set(principal, await accessOf(principal, keyId, vault, services, signal));
      },
      { concurrency: CONCURRENCY },
    );
  };
  const states = new Map<string, IdentityState>();
  const ids = new Set(accounts.flatMap((account) => userAssignedIdentity(account)?.toLowerCase() ?? []));
  const look = (): Promise<unknown> =>
    pMap(
      ids,
      async (id) => {
        if (!signal?.aborted) states.set(id, await identityState(id, services, signal));
      },
      { concurrency: CONCURRENCY },
    );
  await untilAborted(Promise.all([read(), look()]), signal);
  return accounts.map((account) => {
    const identity = keyIdentity(account);
    const principal = 'principalId' in identity ? identity.principalId.toLowerCase() : '';
    const id = userAssignedIdentity(account)?.toLowerCase();
    const state = id === undefined ? undefined : (states.get(id) ?? NOT_SEEN);
    return keyAccess(account, { vaultId: key.vault.id, name: key.name }, known.get(principal) ?? NOT_READ, state);
  });
}

/** Whether a user-assigned identity exists, read afresh. It never throws. */
export async function identityState(
  id: string,
  { identities }: { readonly identities: Identities },
  signal?: AbortSignal,
): Promise<IdentityState> {
  try {
    const parsed = parseResourceId(id);
    if (!parsed) throw new TypeError('It is not the ARM id of a resource.');
    const identity = await identities.get(parsed, signal);
    return identity ? { is: 'there', principalId: identity.principalId } : { is: 'deleted' };
  } catch (error) {
    return { is: 'unknown', why: cannotBeRead(`The identity ${id}`, error) };
  }
}

async function accessOf(
  principal: string,
  keyId: string,
  vault: VaultProperties,
  { authorization }: { readonly authorization: Authorization },
  signal: AbortSignal | undefined,
): Promise<VaultAccess> {
  if (vault.accessModel === 'accessPolicies') return { model: 'accessPolicies', policies: vault.policies };
  try {
    return { model: 'rbac', grants: await authorization.grantsTo(principal, keyId, signal) };
  } catch (error) {
    return unreadable(`The roles of ${principal} at ${keyId}`, error);
  }
}

function unreadable(what: string, error: unknown): VaultAccess {
  return { model: 'unknown', why: cannotBeRead(what, error) };
}

function cannotBeRead(what: string, error: unknown): string {
  return `${what} cannot be read: ${describe(describeFailure(error))}`;
}

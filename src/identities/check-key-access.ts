import pMap from 'p-map';
import type { Account } from '../accounts/account.ts';
import { untilAborted } from '../azure/deadline.ts';
import { describeError } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import type { ManagedKey, ManagedVault } from '../keys/managed-vaults.ts';
import type { VaultProperties, Vaults } from '../vaults/vault-client.ts';
import type { Authorization } from './authorization-client.ts';
import type { Identities } from './identity-client.ts';
import {
  checkIdentityAccess,
  findKeyIdentity,
  findUserAssignedIdentity,
  type IdentityState,
  type KeyAccess,
  type VaultAccess,
} from './key-access.ts';
import { createLocalAccessReader, type LocalAccessServices } from './local-access-reader.ts';
import { createPolicyAccessReader } from './policy-access-reader.ts';

export interface KeyAccessServices extends LocalAccessServices {
  readonly vaults: Vaults;
  readonly authorization: Authorization;
  readonly identities: Identities;
}

const NOT_READ: VaultAccess = { model: 'unknown', why: 'Azure did not answer in time.' };
/** A vault that the operator named without its ARM id has none here. */
const NOT_FOUND: VaultAccess = { model: 'unknown', why: 'Your sign-in does not see the vault.' };
const NOT_SEEN: IdentityState = { is: 'unknown', why: 'Azure did not answer in time whether the identity exists.' };

/**
 * Checks whether each account's identity exists and may use the key. Reads the vault, each identity and each
 * principal's roles once, group memberships included. Never throws: after an error or an abort the result is `unknown`.
 */
export async function checkKeyAccess(
  accounts: readonly Account[],
  key: ManagedKey,
  services: KeyAccessServices,
  signal?: AbortSignal,
): Promise<KeyAccess[]> {
  const asked = accounts.map((account) => {
    const identity = findKeyIdentity(account);
    const principal = 'principalId' in identity ? identity.principalId.toLowerCase() : undefined;
    return { account, principal, id: findUserAssignedIdentity(account)?.toLowerCase() };
  });

  const access = new Map<string, VaultAccess>();
  const states = new Map<string, IdentityState>();

  const readAccess = async (): Promise<void> => {
    const read = await readerOf(key, services, signal);
    const principals = asked.map(({ principal }) => principal);
    await eachOnce(principals, async (one) => access.set(one, await read(one, key.name)), signal);
  };

  const readState = async (id: string) => states.set(id, await readIdentityState(id, services, signal));
  const ids = asked.map(({ id }) => id);

  await untilAborted(Promise.all([readAccess(), eachOnce(ids, readState, signal)]), signal);

  return asked.map(({ account, principal = '', id }) => {
    const state = id === undefined ? undefined : (states.get(id) ?? NOT_SEEN);
    return checkIdentityAccess(
      account,
      { vaultId: key.vault.id, name: key.name },
      access.get(principal) ?? NOT_READ,
      state,
    );
  });
}

/** Reads each name once. Starts no read after the signal has aborted. */
async function eachOnce(
  names: readonly (string | undefined)[],
  read: (name: string) => Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const distinct = new Set(names.flatMap((name) => name ?? []));
  const readUnlessAborted = async (name: string): Promise<void> => {
    if (!signal?.aborted) await read(name);
  };

  await pMap(distinct, readUnlessAborted, { concurrency: CONCURRENCY });
}

/** Reads the rights of a principal on one key of a vault, or on all keys. */
type ReadAccess = (principalId: string, key: string | undefined) => Promise<VaultAccess>;

/** The reader never throws. It reads the local roles of a Managed HSM once for all principals. */
export function createAccessReader(
  vault: ManagedVault,
  { accessModel: model, policies }: Pick<VaultProperties, 'accessModel' | 'policies'>,
  services: LocalAccessServices & Pick<KeyAccessServices, 'authorization'>,
  signal?: AbortSignal,
): ReadAccess {
  const local = createLocalAccessReader(vault, services, signal);
  const policed = createPolicyAccessReader(vault, policies, services, signal);

  return async (principalId, key) => {
    if (model === 'accessPolicies') return policed(principalId);
    if (model === 'local') return key === undefined ? local.ofAllKeys() : local.ofKey(key);
    const scope = key === undefined ? vault.id : `${vault.id}/keys/${key}`;
    try {
      return { model, grants: await services.authorization.grantsTo(principalId, scope, signal) };
    } catch (error) {
      return { model: 'unknown', why: cannotBeRead(`The roles of ${principalId} at ${scope}`, error) };
    }
  };
}

async function readerOf({ vault }: ManagedKey, services: KeyAccessServices, signal?: AbortSignal): Promise<ReadAccess> {
  if (vault.id === '') return async () => NOT_FOUND;
  try {
    return createAccessReader(vault, await services.vaults.get(vault, signal), services, signal);
  } catch (error) {
    const why = cannotBeRead(`The vault ${vault.name}`, error);
    return async () => ({ model: 'unknown', why });
  }
}

/** Reads whether a user-assigned identity exists. Never throws. */
export async function readIdentityState(
  id: string,
  { identities }: Pick<KeyAccessServices, 'identities'>,
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

function cannotBeRead(what: string, error: unknown): string {
  return `${what} cannot be read: ${describeError(error)}`;
}

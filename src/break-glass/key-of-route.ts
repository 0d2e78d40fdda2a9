import { z } from 'zod';
import { describe, describeFailure } from '../azure/failure.ts';
import { retryOnce } from '../azure/retry-once.ts';
import { HttpProblem } from '../http/problem.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { type ManagedKey, type ManagedVaults, managedKey } from '../keys/managed-vaults.ts';
import type { Services } from '../services.ts';

/** A key, as a field of a body. */
export const KEY_FIELD = z
  .string()
  .trim()
  .max(200)
  .regex(/^[A-Za-z][0-9A-Za-z-]{1,23}\/[0-9A-Za-z-]{1,127}$/, 'write it as <vault>/<key>');

const KEY_NAME = /^[0-9A-Za-z-]{1,127}$/;

/**
 * The key that a call names. A vault that is not managed gets the same answer whether or not it or the key exists.
 *
 * @throws {@link HttpProblem} 404
 */
export function keyOfCall(vaults: ManagedVaults, vaultName = '', keyName = ''): ManagedKey {
  const vault = vaults.byName(vaultName);
  if (!vault || !KEY_NAME.test(keyName)) throw noSuchKey();
  return managedKey(vault, keyName);
}

/** The key that a field names. @throws {@link HttpProblem} 404 */
export function keyNamed(vaults: ManagedVaults, field: z.output<typeof KEY_FIELD>): ManagedKey {
  const [vaultName, keyName] = field.split('/');
  return keyOfCall(vaults, vaultName, keyName);
}

/** The one answer about keys that this app does not manage. */
export function noSuchKey(): HttpProblem {
  return new HttpProblem('KeyNotManaged');
}

/** The versions, or a refusal that says that nothing was changed. */
export async function listOrRefuse(
  key: ManagedKey,
  { urgentKeys, sleep }: Pick<Services, 'urgentKeys' | 'sleep'>,
): Promise<KeyVersion[]> {
  try {
    return await retryOnce(() => urgentKeys.listVersions(key), sleep);
  } catch (error) {
    throw unreadable(error);
  }
}

/** Key Vault could not be read, so that nothing was changed. */
export function unreadable(error: unknown): HttpProblem {
  const failure = describeFailure(error);
  const detail = `Key Vault did not list the versions of the key: ${describe(failure)} Nothing was changed.`;
  if (failure.kind === 'forbidden') return new HttpProblem('VaultUnreadable', { detail, cause: error });
  const nextStep = 'Repeat the call; if it stays, use `cmk key revoke` with your own sign-in.';
  return new HttpProblem('ServiceUnavailable', { status: 502, detail, nextStep, cause: error });
}

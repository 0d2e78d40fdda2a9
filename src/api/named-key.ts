import { z } from 'zod';
import { describe, describeFailure } from '../azure/failure.ts';
import { retryOnce } from '../azure/retry-once.ts';
import { HttpProblem } from '../http/problem.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { type ManagedKey, type ManagedVaults, managedKey } from '../keys/managed-vaults.ts';
import type { Services } from '../services.ts';
import type { Call } from './route.ts';

export const KEY_PARAMS = {
  vault: { description: 'Name of a managed vault.', schema: z.string().min(3).max(24) },
  key: { description: 'Name of the key.', schema: z.string().min(1).max(127) },
} as const;

/** A key, as a field of a body. */
export const KEY_FIELD = z
  .string()
  .trim()
  .max(200)
  .regex(/^[A-Za-z][0-9A-Za-z-]{1,23}\/[0-9A-Za-z-]{1,127}$/, 'write it as <vault>/<key>');

/** The key that the path of a call names. @throws {@link HttpProblem} 404 */
export function keyOfCall({ request: { params }, services }: Pick<Call, 'request' | 'services'>): ManagedKey {
  return keyNamed(services.settings.vaults, `${params.vault}/${params.key}`);
}

/**
 * The key that a call names. A vault that is not managed gets the same answer whether or not it or the key exists.
 *
 * @param name `<vault>/<key>`
 * @throws {@link HttpProblem} 404
 */
export function keyNamed(vaults: ManagedVaults, name: string): ManagedKey {
  const [, vaultName = '', keyName = ''] = /^([^/]*)\/([0-9A-Za-z-]{1,127})$/.exec(name) ?? [];
  const vault = vaults.byName(vaultName);
  if (vault) return managedKey(vault, keyName);
  throw noSuchKey();
}

/** The one answer about keys that this app does not manage. */
export function noSuchKey(): HttpProblem {
  return new HttpProblem('KeyNotManaged');
}

/** The versions. @throws {@link HttpProblem} 404; 502 when they cannot be listed, which says that nothing was changed */
export async function listOrRefuse(
  key: ManagedKey,
  { urgentKeys, sleep }: Pick<Services, 'urgentKeys' | 'sleep'>,
): Promise<KeyVersion[]> {
  const versions = await retryOnce(() => urgentKeys.listVersions(key), sleep).catch((error: unknown) => {
    throw unreadable(error);
  });
  if (versions.length === 0) throw noSuchKey();
  return versions;
}

/** Key Vault could not be read, so that nothing was changed. */
export function unreadable(error: unknown): HttpProblem {
  const failure = describeFailure(error);
  const detail = `Key Vault did not list the versions of the key: ${describe(failure)} Nothing was changed.`;
  if (failure.kind === 'forbidden') return new HttpProblem('VaultUnreadable', { detail, cause: error });
  const nextStep = 'Repeat the call; if it stays, use `cmk key revoke` with your own sign-in.';
  return new HttpProblem('ServiceUnavailable', { status: 502, detail, nextStep, cause: error });
}

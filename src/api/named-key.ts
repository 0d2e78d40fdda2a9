import { z } from 'zod';
import { describeAnswerOf, describeFailure } from '../azure/failure.ts';
import { retryOnce } from '../azure/retry-once.ts';
import { HttpProblem } from '../http/problem.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { createManagedKey, type ManagedKey, type ManagedVaults } from '../keys/managed-vaults.ts';
import type { Services } from '../services.ts';
import type { Call } from './route.ts';

export const KEY_PARAMS = {
  vault: { description: 'Name of a managed vault.', schema: z.string().min(3).max(24) },
  key: { description: 'Name of the key.', schema: z.string().min(1).max(127) },
} as const;

/** A key in a field of a body. */
export const KEY_FIELD = z
  .string()
  .trim()
  .max(200)
  .regex(/^[A-Za-z][0-9A-Za-z-]{1,23}\/[0-9A-Za-z-]{1,127}$/, 'write it as <vault>/<key>');

/** Returns the key in the path of a call. @throws {@link HttpProblem} 404 */
export function requireKeyOfCall({ request: { params }, services }: Pick<Call, 'request' | 'services'>): ManagedKey {
  return requireNamedKey(services.settings.vaults, `${params.vault}/${params.key}`);
}

/**
 * Returns the key that a call names. The answer for an unmanaged vault is always the same, so it does not reveal
 * whether the vault or the key exists.
 * @param name `<vault>/<key>`
 * @throws {@link HttpProblem} 404
 */
export function requireNamedKey(vaults: ManagedVaults, name: string): ManagedKey {
  const [, vaultName = '', keyName = ''] = /^([^/]*)\/([0-9A-Za-z-]{1,127})$/.exec(name) ?? [];
  const vault = vaults.byName(vaultName);
  if (vault) return createManagedKey(vault, keyName);
  throw new HttpProblem('KeyNotManaged');
}

/**
 * Lists the versions.
 *
 * @param command does the same without the app
 * @throws {@link HttpProblem} 404; 502 if the list fails, with the note that nothing changed
 */
export async function listOrRefuse(
  key: ManagedKey,
  command: KeyCommand,
  { urgentKeys, sleep }: Pick<Services, 'urgentKeys' | 'sleep'>,
): Promise<KeyVersion[]> {
  const versions = await retryOnce(() => urgentKeys.listVersions(key), sleep).catch((error: unknown) => {
    throw toUnreadableProblem(error, command);
  });
  if (versions.length === 0) throw new HttpProblem('KeyNotManaged');
  return versions;
}

/** The command that does the same as a call, with the operator's own sign-in. */
type KeyCommand = 'cmk key show' | 'cmk key revoke --dry-run' | 'cmk key revoke' | 'cmk key restore';

/**
 * Problem of a call that failed to read Key Vault and changed nothing. Names only the command of the call itself: a
 * caller who revokes instead of restoring takes part in the revocation, and may no longer restore.
 */
export function toUnreadableProblem(error: unknown, command: KeyCommand): HttpProblem {
  const failure = describeFailure(error);
  const detail = `Key Vault did not list the versions of the key: ${describeAnswerOf(failure)} The app changed nothing.`;
  if (failure.kind === 'forbidden') {
    const nextStep = `Assign the app's identity its role on the vault again (see docs/how-to/deploy-azd.md). Meanwhile use \`${command}\` with your own sign-in.`;
    return new HttpProblem('VaultUnreadable', { detail, nextStep, cause: error });
  }
  const nextStep = `Repeat the call; if it fails again, use \`${command}\` with your own sign-in.`;
  return new HttpProblem('ServiceUnavailable', { status: 502, detail, nextStep, cause: error });
}

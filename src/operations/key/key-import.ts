import { unless } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import { newestVersion } from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { azVaultOption } from '../../keys/vault-options.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import { openRevocation } from '../../revocation/revocation.ts';
import { ORIGIN_TAG } from '../../rotation/rotation.ts';
import type { Operation } from '../operator-azure.ts';
import { checkExpiry, type EnsuredKey } from './key-ensure.ts';
import type { PrivateKey } from './private-key.ts';
import { checkSize } from './usable-key.ts';

interface ImportOptions {
  /** Into a hardware security module: the vault has to be a premium one. */
  readonly hardware: boolean;
  readonly expiresOn: Date | undefined;
}

/**
 * Imports key material of one's own. A key that is there is given a new version, unless its newest one is the same
 * material: that is how imported keys are rotated. The version is tagged as imported, which keeps the app from rotating
 * it to material of Key Vault's own making.
 */
export async function importKey(
  key: ManagedKey,
  { size, jwk }: PrivateKey,
  { hardware, expiresOn }: ImportOptions,
  { azure, journal }: Operation,
): Promise<EnsuredKey> {
  checkSize(size);
  checkExpiry(expiresOn, azure.now());
  const name = `${key.vault.name}/${key.name}`;
  const [found, versions] = await Promise.all([azure.keyAdmin.describe(key), azure.keys.listVersions(key)]);
  const open = openRevocation(versions, azure.now());
  if (open) {
    throw new CmkError(
      'RevocationOpen',
      `The key ${name} is revoked: a version imported now would be disabled too.`,
      `Restore it first: ${restoreCommand(key, open)}`,
    );
  }
  if (found?.modulus !== undefined && found.modulus === jwk.n) {
    journal.found(`the newest version of ${name} is this key material already: ${found.version}`);
    return { id: key.id, kty: found.kty, size: found.size, version: found.version };
  }
  // An operator without the right to check gets Azure's conflict from the import.
  if (!found && (await unless('forbidden', () => azure.keyAdmin.isDeleted(key)))) {
    throw new CmkError(
      'NameTaken',
      `The key ${name} was deleted and can still be recovered; until it is purged its name is taken.`,
      `Recover it with \`az keyvault key recover ${azVaultOption(key.vault)} ${key.vault.name} --name ${key.name}\`, or choose another name.`,
    );
  }
  const tags = { ...newestVersion(versions)?.tags, [ORIGIN_TAG]: 'imported' };
  const what = found ? `new version of key ${name}` : `key ${name}`;
  const text = `${what} imported (RSA ${size})`;
  const imported = await journal.change({ text, action: 'key.import', resource: key.id }, () =>
    azure.keyAdmin.importKey(key, jwk, { hardware, expiresOn, tags }),
  );
  return { id: key.id, kty: hardware ? 'RSA-HSM' : 'RSA', size, version: imported?.version };
}

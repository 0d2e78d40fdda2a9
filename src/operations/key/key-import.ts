import { newestVersion } from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { ORIGIN_TAG } from '../../rotation/rotation.ts';
import type { Operation } from '../operator-azure.ts';
import type { EnsuredKey } from './key-ensure.ts';
import type { PrivateKey } from './private-key.ts';
import { checkExpiry, checkSupported, nameOf, refuseDeleted, refuseRevoked } from './usable-key.ts';

interface ImportOptions {
  /** Imports into a hardware security module, which needs a premium vault. */
  readonly hardware: boolean;
  readonly expiresOn: Date | undefined;
}

/**
 * Imports key material from a file. An existing key gets a new version, unless its newest version has the same
 * material. A tag marks the version as imported, so that the app does not replace it with generated material.
 */
export async function importKey(
  key: ManagedKey,
  { size, jwk }: PrivateKey,
  { hardware, expiresOn }: ImportOptions,
  { azure, journal }: Operation,
): Promise<EnsuredKey> {
  checkSupported(key, { type: 'RSA', size });
  checkExpiry(expiresOn, azure.now());
  const [found, versions] = await Promise.all([azure.keyAdmin.describe(key), azure.keys.listVersions(key)]);
  refuseRevoked(key, versions, 'a version imported now would be disabled too', azure.now());
  if (found?.modulus !== undefined && found.modulus === jwk.n) {
    journal.found(`the newest version of ${nameOf(key)} already has this key material: ${found.version}`);
    return { id: key.id, kty: found.type, size: found.size, version: found.version };
  }
  if (!found) await refuseDeleted(key, azure);
  const tags = { ...newestVersion(versions)?.tags, [ORIGIN_TAG]: 'imported' };
  const what = found ? `new version of key ${nameOf(key)}` : `key ${nameOf(key)}`;
  const text = `${what} imported (RSA ${size})`;
  const imported = await journal.change({ text, action: 'key.import', resource: key.id }, () =>
    azure.keyAdmin.importKey(key, jwk, { hardware, expiresOn, tags }),
  );
  return { id: key.id, kty: hardware ? 'RSA-HSM' : 'RSA', size, version: imported?.version };
}

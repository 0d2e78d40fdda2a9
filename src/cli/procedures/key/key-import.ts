import { createPrivateKey, type KeyObject } from 'node:crypto';
import forge from 'node-forge';
import { CmkError } from '../../../errors/errors.ts';
import type { RsaJwk } from '../../../keys/key-client.ts';
import { findNewestVersion } from '../../../keys/key-versions.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import {
  checkExpiry,
  checkSupported,
  formatKeyName,
  refuseDeleted,
  refuseRevoked,
} from '../../../revocation/usable-key.ts';
import { ORIGIN_TAG } from '../../../rotation/rotation.ts';
import type { Operation } from '../operator-azure.ts';
import type { EnsuredKey } from './key-ensure.ts';

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
    journal.found(`the newest version of ${formatKeyName(key)} already has this key material: ${found.version}`);
    return { id: key.id, kty: found.type, size: found.size, version: found.version };
  }

  if (!found) await refuseDeleted(key, azure);

  const tags = { ...findNewestVersion(versions)?.tags, [ORIGIN_TAG]: 'imported' };
  const what = found ? `new version of key ${formatKeyName(key)}` : `key ${formatKeyName(key)}`;
  const text = `${what} imported (RSA ${size})`;
  const imported = await journal.change({ text, action: 'key.import', resource: key.id }, () =>
    azure.keyAdmin.importKey(key, jwk, { hardware, expiresOn, tags }),
  );

  return { id: key.id, kty: hardware ? 'RSA-HSM' : 'RSA', size, version: imported?.version };
}

interface PrivateKey {
  /** Bits. */
  readonly size: number;
  readonly jwk: RsaJwk;
}

/**
 * Reads an RSA private key from a PEM file (PKCS #8 or PKCS #1, encrypted or not) or a PFX file (PKCS #12).
 *
 * @throws {@link CmkError} `KeyMaterialUnreadable`, whose message contains nothing from the file
 */
export function readPrivateKey(file: Uint8Array, password: string | undefined): PrivateKey {
  const isPem = Buffer.from(file.subarray(0, 4_096)).toString('latin1').includes('-----BEGIN ');
  const key = isPem ? fromPem(Buffer.from(file), password) : fromPfx(file, password);
  if (key.asymmetricKeyType !== 'rsa') {
    throw new CmkError(
      'KeyUnsupported',
      `The file contains a key of type ${key.asymmetricKeyType}. Storage accepts only RSA keys.`,
      'Import an RSA key of 2048, 3072 or 4096 bits.',
    );
  }

  const { n, e, d, p, q, dp, dq, qi } = key.export({ format: 'jwk' });
  if (!n || !e || !d || !p || !q || !dp || !dq || !qi) throw unreadable('The key in the file is not complete.');

  return { size: key.asymmetricKeyDetails?.modulusLength ?? 0, jwk: { n, e, d, p, q, dp, dq, qi } };
}

function fromPem(file: Buffer, password: string | undefined): KeyObject {
  try {
    const passphrase = password === undefined ? {} : { passphrase: password };
    return createPrivateKey({ key: file, format: 'pem', ...passphrase });
  } catch (error) {
    const isEncrypted = /^(-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED)/m.test(file.toString());
    throw isEncrypted ? notOpened(password, error) : unreadable('The PEM file contains no private key.', error);
  }
}

function fromPfx(file: Uint8Array, password: string | undefined): KeyObject {
  let bags: forge.pkcs12.Bag[];
  try {
    const asn1 = forge.asn1.fromDer(Buffer.from(file).toString('binary'));
    const pfx = forge.pkcs12.pkcs12FromAsn1(asn1, false, password ?? '');
    const types = [forge.pki.oids.pkcs8ShroudedKeyBag, forge.pki.oids.keyBag];
    bags = types.flatMap((bagType) => (bagType ? (pfx.getBags({ bagType })[bagType] ?? []) : []));
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const isLocked = /MAC could not be verified|password|decrypt/i.test(message);
    throw isLocked ? notOpened(password, error) : unreadable('The file is neither PEM nor PFX.', error);
  }

  const [bag, second] = bags;
  if (!bag) throw unreadable('The PFX file contains no private key.');
  if (second) throw unreadable('The PFX file contains several private keys.');
  if (!bag.key) throw unreadable('The private key in the PFX file is not an RSA key.');

  return createPrivateKey(forge.pki.privateKeyToPem(bag.key as forge.pki.rsa.PrivateKey));
}

function unreadable(message: string, cause?: unknown): CmkError {
  const nextStep = 'Use a PEM or PFX file with one RSA private key of 2048, 3072 or 4096 bits.';
  return new CmkError('KeyMaterialUnreadable', message, nextStep, { cause });
}

function notOpened(password: string | undefined, cause: unknown): CmkError {
  if (password !== undefined) {
    const message = 'The password does not open the file, or the file is damaged.';
    return new CmkError('KeyMaterialUnreadable', message, 'Check the password.', { cause });
  }

  return new CmkError(
    'KeyMaterialUnreadable',
    'The file is encrypted, and no password was given.',
    'Pass the password with --password-file <file>, or in CMK_KEY_PASSWORD.',
    { cause },
  );
}

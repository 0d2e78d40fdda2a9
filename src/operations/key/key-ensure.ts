import { unless } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import type { KeyDescription } from '../../keys/key-admin-client.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { planPolicy, type WantedPolicy } from '../../rotation/rotation-policy.ts';
import type { Operation } from '../operator-azure.ts';
import { checkSize, checkSupported, usableVersion } from './usable-key.ts';

export interface WantedKey {
  /** Undefined: RSA for a new key, and whatever it is for one that is there. */
  readonly kty?: 'RSA' | 'RSA-HSM' | undefined;
  /** Bits; undefined: 2048 for a new key. */
  readonly size?: number | undefined;
  /** When the version that is made, or that is there without an expiry, expires. */
  readonly expiresOn?: Date | undefined;
  readonly policy?: WantedPolicy | undefined;
}

export interface EnsuredKey {
  /** Identifier without a version. */
  readonly id: string;
  readonly kty: string;
  readonly size: number | undefined;
  /** The newest version; undefined for a key that a dry run would create. */
  readonly version: string | undefined;
}

/** Makes sure of a key that Storage can use: creates it, or checks the one that is there, which cannot be changed. */
export async function ensureKey(key: ManagedKey, wanted: WantedKey, operation: Operation): Promise<EnsuredKey> {
  const { azure, journal } = operation;
  if (wanted.size !== undefined) checkSize(wanted.size);
  checkExpiry(wanted.expiresOn, azure.now());
  const name = `${key.vault.name}/${key.name}`;
  const found = await azure.keyAdmin.describe(key);
  const policy = wanted.policy && planPolicy(found && (await azure.keyAdmin.policy(key)), wanted.policy);
  const ensured = found ? await check(key, found, wanted, operation) : await create(key, wanted, operation);
  if (wanted.policy) {
    if (policy) {
      const text = `rotation policy of ${name} set`;
      await journal.change({ text, action: 'key.setPolicy', resource: key.id }, () =>
        azure.keyAdmin.setPolicy(key, policy),
      );
    } else journal.found(`rotation policy of ${name} is as asked for`);
  }
  return ensured;
}

async function create(key: ManagedKey, wanted: WantedKey, { azure, journal }: Operation): Promise<EnsuredKey> {
  const { kty = 'RSA', size = 2048, expiresOn } = wanted;
  const name = `${key.vault.name}/${key.name}`;
  // Whoever may not look cannot tell; the creation will.
  if (await unless('forbidden', () => azure.keyAdmin.isDeleted(key))) {
    throw new CmkError(
      'NameTaken',
      `The key ${name} was deleted and can still be recovered; until it is purged its name is taken.`,
      `Recover it with \`az keyvault key recover --vault-name ${key.vault.name} --name ${key.name}\`, or choose another name.`,
    );
  }
  const until = expiresOn ? `, expires ${expiresOn.toISOString()}` : '';
  const text = `key ${name} created (${kty} ${size}${until})`;
  const created = await journal.change({ text, action: 'key.create', resource: key.id }, () =>
    azure.keyAdmin.create(key, { kty, size, expiresOn }),
  );
  if (!expiresOn)
    journal.note(`${name} never expires, so nothing announces that it should be rotated; --expires P2Y sets an end.`);
  return { id: key.id, kty, size, version: created?.version };
}

async function check(
  key: ManagedKey,
  found: KeyDescription,
  { kty, size, expiresOn }: WantedKey,
  { azure, journal }: Operation,
): Promise<EnsuredKey> {
  const name = `${key.vault.name}/${key.name}`;
  checkSupported(key, found);
  if ((kty !== undefined && kty !== found.kty) || (size !== undefined && size !== found.size)) {
    throw new CmkError(
      'KeyUnsupported',
      `The key ${name} is ${found.kty} of ${found.size} bits, not ${kty ?? found.kty} of ${size ?? found.size}; that cannot be changed.`,
      'Take it as it is, or create a key under another name and move the accounts: cmk account change-key',
    );
  }
  const newest: KeyVersion = usableVersion(key, await azure.keys.listVersions(key), undefined, azure.now());
  journal.found(`key ${name} (${found.kty} ${found.size}), version ${newest.version}`);
  if (expiresOn && !newest.expiresOn) {
    const to = expiresOn.toISOString();
    const text = `expiry of version ${newest.version} set to ${to}`;
    await journal.change({ text, action: 'key.setExpiry', resource: newest.id, to }, () =>
      azure.keys.updateVersion(key, newest.version, { expiresOn }),
    );
  } else if (newest.expiresOn) journal.found(`it expires ${newest.expiresOn.toISOString()}`);
  return { id: key.id, kty: found.kty, size: found.size, version: newest.version };
}

export function checkExpiry(expiresOn: Date | undefined, now: Date): void {
  if (!expiresOn || expiresOn > now) return;
  throw new CmkError(
    'ArgumentInvalid',
    `${expiresOn.toISOString()} is past: such a key could never be used.`,
    'Choose an expiry that is to come.',
  );
}

import { describeFailure, unless } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import type { KeyDescription } from '../../keys/key-admin-client.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { azVaultOption } from '../../keys/vault-options.ts';
import { planPolicy, type WantedPolicy } from '../../rotation/rotation-policy.ts';
import { addDuration } from '../../time/duration.ts';
import { CLOCKS_MS, HOUR_MS } from '../../time/spans.ts';
import type { Operation } from '../operator-azure.ts';
import { checkSize, checkSupported, usableVersion } from './usable-key.ts';

export interface WantedKey {
  /** Undefined: RSA for a new key (RSA-HSM in a Managed HSM), and whatever it is for one that is there. */
  readonly kty?: 'RSA' | 'RSA-HSM' | undefined;
  /** Bits; undefined: 2048 for a new key. */
  readonly size?: number | undefined;
  /** When the version that is made, or that is there without an expiry, expires; undefined: a new one in two years. */
  readonly expiresOn?: Date | 'never' | undefined;
  /** Undefined: for a new key, that it is rotated before it expires. */
  readonly policy?: WantedPolicy | 'none' | undefined;
}

/** Default lifetime of a version. */
const LIFETIME = 'P2Y';
/** Rotated before anything warns that it nears its expiry, which Key Vault and the app do 30 days before. */
const ROTATE_BEFORE = 'P60D';
/** A key without a policy that is younger was made by this command, which was broken off before it set one. Milliseconds. */
const JUST_MADE_MS = HOUR_MS;

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
  if (wanted.expiresOn !== 'never') checkExpiry(wanted.expiresOn, azure.now());
  const name = `${key.vault.name}/${key.name}`;
  const found = await azure.keyAdmin.describe(key);
  const asked = wanted.policy === 'none' ? undefined : wanted.policy;
  const policy =
    asked && planPolicy(found && (await azure.keyAdmin.policy(key)), found ? asked : lasting(asked, wanted));
  const isDefault = wanted.policy === undefined && wanted.expiresOn !== 'never';
  const lacksPolicy = isDefault && (!found || (await isUnfinished(key, azure)));
  const ensured = found ? await check(key, found, wanted, operation) : await create(key, wanted, operation);
  if (lacksPolicy) await setDefaultPolicy(key, operation);
  if (asked) {
    if (policy) {
      const text = `rotation policy of ${name} set`;
      await journal.change({ text, action: 'key.setPolicy', resource: key.id }, () =>
        azure.keyAdmin.setPolicy(key, policy),
      );
    } else journal.found(`rotation policy of ${name} is as asked for`);
  }
  return ensured;
}

/** A policy for a new key, whose versions expire unless it is said that they do not. */
function lasting(policy: WantedPolicy, { expiresOn }: WantedKey): WantedPolicy {
  return expiresOn === 'never' ? policy : { expiresIn: LIFETIME, ...definedIn(policy) };
}

function definedIn(policy: WantedPolicy): WantedPolicy {
  return Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));
}

function firstExpiry({ expiresOn, policy }: WantedKey, now: Date): Date | undefined {
  if (expiresOn !== undefined) return expiresOn === 'never' ? undefined : expiresOn;
  return addDuration(now, (policy === 'none' ? undefined : policy?.expiresIn) ?? LIFETIME);
}

/**
 * Whether this command has made the key a moment ago, and was broken off before it set a policy: its only version is young
 * and expires just when one that it makes does.
 */
async function isUnfinished(key: ManagedKey, { keys, keyAdmin, now }: Operation['azure']): Promise<boolean> {
  const [only, ...others] = await keys.listVersions(key);
  if (!only?.expiresOn || others.length > 0) return false;
  if (now().getTime() - only.createdOn.getTime() > JUST_MADE_MS) return false;
  const differs = only.expiresOn.getTime() - addDuration(only.createdOn, LIFETIME).getTime();
  if (Math.abs(differs) > CLOCKS_MS) return false;
  const policy = await unless('forbidden', () => keyAdmin.policy(key));
  return (
    policy !== undefined && policy.expiresIn === undefined && !policy.actions.some(({ action }) => action === 'Rotate')
  );
}

/** An operator who may create keys but not set policies gets a note, not an error: the policy is a default. */
async function setDefaultPolicy(key: ManagedKey, { azure, journal }: Operation): Promise<void> {
  const name = `${key.vault.name}/${key.name}`;
  const policy = planPolicy(undefined, { expiresIn: LIFETIME, rotateBeforeExpiry: ROTATE_BEFORE });
  const text = `rotation policy of ${name} set: versions live ${LIFETIME}, and Key Vault rotates ${ROTATE_BEFORE} before`;
  try {
    if (policy) {
      await journal.change({ text, action: 'key.setPolicy', resource: key.id }, () =>
        azure.keyAdmin.setPolicy(key, policy),
      );
    }
  } catch (error) {
    if (describeFailure(error).kind !== 'forbidden') throw error;
    journal.note(`Your sign-in may not set the rotation policy of ${name}: nothing but the app rotates it.`);
  }
}

async function create(key: ManagedKey, wanted: WantedKey, { azure, journal }: Operation): Promise<EnsuredKey> {
  // A Managed HSM has no other kind.
  const { kty = key.vault.kind === 'vault' ? 'RSA' : 'RSA-HSM', size = 2048 } = wanted;
  const expiresOn = firstExpiry(wanted, azure.now());
  const name = `${key.vault.name}/${key.name}`;
  // An operator without the right to check gets Azure's conflict from the creation.
  if (await unless('forbidden', () => azure.keyAdmin.isDeleted(key))) {
    throw new CmkError(
      'NameTaken',
      `The key ${name} was deleted and can still be recovered; until it is purged its name is taken.`,
      `Recover it with \`az keyvault key recover ${azVaultOption(key.vault)} ${key.vault.name} --name ${key.name}\`, or choose another name.`,
    );
  }
  const until = expiresOn ? `, expires ${expiresOn.toISOString()}` : '';
  const text = `key ${name} created (${kty} ${size}${until})`;
  const created = await journal.change({ text, action: 'key.create', resource: key.id }, () =>
    azure.keyAdmin.create(key, { kty, size, expiresOn }),
  );
  if (!expiresOn) journal.note(`${name} never expires, so nothing announces that it should be rotated.`);
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
  if (expiresOn && expiresOn !== 'never' && !newest.expiresOn) {
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

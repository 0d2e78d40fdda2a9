import { isDeepStrictEqual } from 'node:util';
import { describeFailure, readUnless } from '../../../azure/failure.ts';
import { CmkError } from '../../../errors/errors.ts';
import { addDuration } from '../../../formats/duration.ts';
import { CLOCKS_MS, HOUR_MS } from '../../../formats/spans.ts';
import type { KeyDescription, RotationPolicy } from '../../../keys/key-client.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import {
  checkExpiry,
  checkSupported,
  formatKeyName,
  refuseDeleted,
  requireUsableVersion,
} from '../../../revocation/usable-key.ts';
import type { Azure, Operation } from '../operator-azure.ts';

/** Requested changes of a rotation policy; absent fields remain unchanged. ISO 8601 durations. */
export interface WantedPolicy {
  /** Lifetime of versions that a rotation creates. */
  readonly expiresIn?: string | undefined;
  /** Key Vault rotates automatically this long after a version's creation, or … */
  readonly rotateAfter?: string | undefined;
  /** … this long before its expiry. */
  readonly rotateBeforeExpiry?: string | undefined;
}

export interface WantedKey {
  /** Undefined: RSA for a new key (RSA-HSM in a Managed HSM), and any type for an existing key. */
  readonly kty?: 'RSA' | 'RSA-HSM' | undefined;
  /** Bits; undefined: 2048 for a new key. */
  readonly size?: number | undefined;
  /** Expiry of a new version; undefined: in two years. */
  readonly expiresOn?: Date | 'never' | undefined;
  /** Undefined: a new key gets the default policy, which rotates it before it expires. */
  readonly policy?: WantedPolicy | 'none' | undefined;
  /** Tags of a new key. */
  readonly tags?: Record<string, string> | undefined;
}

/** Default lifetime of a version. */
const LIFETIME = 'P2Y';
/** Key Vault and the app warn 30 days before expiry; rotation comes earlier. */
const DEFAULT_POLICY: WantedPolicy = { expiresIn: LIFETIME, rotateBeforeExpiry: 'P60D' };
const NO_POLICY = { rotates: false } as const;

export interface EnsuredKey {
  /** Identifier without a version. */
  readonly id: string;
  readonly kty: string;
  readonly size: number | undefined;
  /** The newest version; undefined if a dry run would create the key. */
  readonly version: string | undefined;
}

/** Creates a key that Storage can use, or checks an existing one, which cannot be changed. */
export async function ensureKey(key: ManagedKey, wanted: WantedKey, operation: Operation): Promise<EnsuredKey> {
  const { azure, journal } = operation;

  if (wanted.size !== undefined) checkSupported(key, { type: 'RSA', size: wanted.size });
  if (wanted.expiresOn !== 'never') checkExpiry(wanted.expiresOn, azure.now());

  const found = await azure.keyAdmin.describe(key);
  const hasDefault = wanted.policy === undefined && wanted.expiresOn !== 'never';
  const isDefault = hasDefault && (!found || (await isUnfinished(key, azure)));
  const asked = isDefault ? DEFAULT_POLICY : wanted.policy;

  // Planned before the first change, because the plan may be rejected.
  const policy =
    asked &&
    asked !== 'none' &&
    planPolicy(found ? await azure.keys.rotationPolicy(key) : NO_POLICY, found ? asked : lasting(asked, wanted));
  const ensured = found ? await check(key, found, wanted, operation) : await create(key, wanted, operation);

  if (policy) {
    const { expiresIn, rotateBeforeExpiry } = DEFAULT_POLICY;
    const kind = isDefault ? `: versions live ${expiresIn}, and Key Vault rotates ${rotateBeforeExpiry} before` : '';
    const text = `rotation policy of ${formatKeyName(key)} set${kind}`;
    try {
      await journal.change({ text, action: 'key.setPolicy', resource: key.id }, () =>
        azure.keyAdmin.setPolicy(key, policy),
      );
    } catch (error) {
      // An operator without the right to set the default policy can still create a key.
      if (!isDefault || describeFailure(error).kind !== 'forbidden') throw error;
      journal.note(`Your sign-in may not set the rotation policy of ${formatKeyName(key)}: only the app rotates it.`);
    }
  } else if (policy === undefined && asked) {
    journal.found(`rotation policy of ${formatKeyName(key)} already matches`);
  }

  return ensured;
}

/**
 * Returns the policy to write; undefined if the current policy already matches the request.
 *
 * @throws {@link CmkError} `ArgumentInvalid` for a rotation before expiry if versions never expire
 */
export function planPolicy(current: RotationPolicy, wanted: WantedPolicy): RotationPolicy | undefined {
  const { expiresIn = current.expiresIn, rotateAfter, rotateBeforeExpiry } = wanted;
  if (rotateBeforeExpiry && !expiresIn) {
    throw new CmkError(
      'ArgumentInvalid',
      `The key's versions do not expire, so Key Vault cannot rotate them ${rotateBeforeExpiry} before expiry.`,
      'Set a lifetime for versions: --version-lifetime P2Y',
    );
  }

  const { rotates: _, afterCreate: __, beforeExpiry: ___, ...kept } = current;
  const rotation = {
    rotates: true,
    ...(rotateAfter ? { afterCreate: rotateAfter } : {}),
    ...(rotateBeforeExpiry ? { beforeExpiry: rotateBeforeExpiry } : {}),
  };

  const next = {
    ...(rotateAfter || rotateBeforeExpiry ? { ...kept, ...rotation } : current),
    ...(expiresIn ? { expiresIn } : {}),
  };

  return isDeepStrictEqual(current, next) ? undefined : next;
}

/** Adds the default lifetime to a policy for a new key, unless its versions never expire. */
function lasting(policy: WantedPolicy, { expiresOn }: WantedKey): WantedPolicy {
  return expiresOn === 'never' ? policy : { ...policy, expiresIn: policy.expiresIn ?? LIFETIME };
}

function firstExpiry({ expiresOn, policy }: WantedKey, now: Date): Date | undefined {
  if (expiresOn !== undefined) return expiresOn === 'never' ? undefined : expiresOn;
  return addDuration(now, (policy === 'none' ? undefined : policy?.expiresIn) ?? LIFETIME);
}

/**
 * Whether an interrupted run of this command created the key without its policy: such a key has one young version with
 * the default expiry.
 */
async function isUnfinished(key: ManagedKey, { keys, now }: Azure): Promise<boolean> {
  const [only, ...others] = await keys.listVersions(key);
  if (!only?.expiresOn || others.length > 0 || now().getTime() - only.createdOn.getTime() > HOUR_MS) return false;
  const differs = only.expiresOn.getTime() - addDuration(only.createdOn, LIFETIME).getTime();
  if (Math.abs(differs) > CLOCKS_MS) return false;
  const policy = await readUnless('forbidden', () => keys.rotationPolicy(key));
  return policy !== undefined && policy.expiresIn === undefined && !policy.rotates;
}

async function create(key: ManagedKey, wanted: WantedKey, { azure, journal }: Operation): Promise<EnsuredKey> {
  // A Managed HSM supports only RSA-HSM.
  const { kty = key.vault.kind === 'vault' ? 'RSA' : 'RSA-HSM', size = 2048, tags } = wanted;
  const expiresOn = firstExpiry(wanted, azure.now());

  await refuseDeleted(key, azure);

  const until = expiresOn ? `, expires ${expiresOn.toISOString()}` : '';
  const text = `key ${formatKeyName(key)} created (${kty} ${size}${until})`;
  const created = await journal.change({ text, action: 'key.create', resource: key.id }, () =>
    azure.keyAdmin.create(key, { kty, size, expiresOn, tags }),
  );

  if (!expiresOn) journal.note(`${formatKeyName(key)} never expires, so no warning will remind you to rotate it.`);

  return { id: key.id, kty, size, version: created?.version };
}

async function check(
  key: ManagedKey,
  found: KeyDescription,
  { kty, size = found.size }: WantedKey,
  { azure, journal }: Operation,
): Promise<EnsuredKey> {
  const { type } = found;

  checkSupported(key, found);

  if ((kty ?? type) !== type || size !== found.size) {
    throw new CmkError(
      'KeyUnsupported',
      `The key ${formatKeyName(key)} is ${type} of ${found.size} bits, not ${kty ?? type} of ${size}; Key Vault cannot change this.`,
      'Use this key without --kty and --size, or create a key under another name and move the accounts: cmk account change-key',
    );
  }

  const newest = requireUsableVersion(key, await azure.keys.listVersions(key), undefined, azure.now());

  journal.found(`key ${formatKeyName(key)} (${type} ${size}), version ${newest.version}`);

  if (newest.expiresOn) journal.found(`the version expires ${newest.expiresOn.toISOString()}`);

  return { id: key.id, kty: type, size, version: newest.version };
}

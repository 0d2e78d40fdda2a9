import { type KeyObject, randomBytes } from 'node:crypto';
import type { Key, KeyVersion, Vault, World } from '../world.ts';
import { addCalendarDuration, type CalendarDuration, parseCalendarDuration } from './calendar-duration.ts';
import { badParameter, conflict, keyNotFound } from './errors.ts';
import { curveOf, defaultKeyOps, generateKeyMaterial, type KeyType } from './key-material.ts';
import { watchLifetime } from './lifetime.ts';
import { checkKeyName, checkTags, checkValidity } from './limits.ts';

/** What {@link createKeyVersion} may be told; what is absent is as Key Vault has it by default. */
export interface NewKeyVersion {
  kty?: KeyType;
  /** Bits. */
  keySize?: number;
  /** `P-256` and so on, for an EC key. */
  curve?: string;
  keyOps?: string[];
  enabled?: boolean;
  /** Epoch seconds. */
  nbf?: number | undefined;
  exp?: number | undefined;
  /** Counts `exp` from the moment that becomes `created`. */
  validFor?: CalendarDuration | undefined;
  tags?: Record<string, string> | undefined;
  /** The material comes from elsewhere (BYOK). */
  imported?: boolean;
  /** The key material; made when absent. */
  privateKey?: KeyObject;
  /** False keeps the event back: for the state that the world starts with. */
  publish?: boolean;
}

/**
 * Adds a version to a key, and the key to the vault if it is new. Publishes KeyNewVersionCreated and starts the timers
 * of its rotation policy and expiry.
 */
export function createKeyVersion(world: World, vault: Vault, keyName: string, options: NewKeyVersion = {}): KeyVersion {
  checkKeyName(keyName);
  checkTags(options.tags);
  checkValidity(options.nbf, options.exp);
  refuseDeletedName(vault, keyName);
  checkRoom(vault, keyName);

  const kty = options.kty ?? (vault.local ? 'RSA-HSM' : 'RSA');
  const material = options.privateKey
    ? { privateKey: options.privateKey, keySize: sizeOf(options.privateKey) }
    : generateKeyMaterial(kty, options.keySize, options.curve);
  const now = world.clock.nowSeconds();
  const version: KeyVersion = {
    version: randomBytes(16).toString('hex'),
    kty,
    keySize: material.keySize,
    get privateKey() {
      return material.privateKey;
    },
    keyOps: options.keyOps ?? defaultKeyOps(kty),
    tags: options.tags && Object.keys(options.tags).length > 0 ? { ...options.tags } : undefined,
    enabled: options.enabled ?? true,
    nbf: options.nbf,
    exp: options.validFor ? addCalendarDuration(now, options.validFor) : options.exp,
    created: now,
    updated: now,
    enabledChangedMs: 0, // a new version has no earlier state that anyone could still see
    imported: options.imported ?? false,
  };

  const key = vault.keys.get(keyName.toLowerCase()) ?? { name: keyName, versions: [], rotationPolicy: undefined };

  vault.keys.set(keyName.toLowerCase(), key);
  key.versions.push(version);

  if (options.publish !== false && !vault.local) {
    world.publish({ vault, type: 'Microsoft.KeyVault.KeyNewVersionCreated', keyName: key.name, version });
  }

  watchLifetime(world, vault, key, rotateKey);

  return version;
}

/**
 * Makes a new version with the parameters of the newest one, as the rotate operation and a rotation policy do. The
 * policy's expiryTime sets `exp`; without one the new version does not expire. Throws KeyVaultError 404 or 400.
 */
export function rotateKey(world: World, vault: Vault, keyName: string): KeyVersion {
  const key = vault.keys.get(keyName.toLowerCase());
  const newest = key?.versions.at(-1);
  if (!key || !newest) throw keyNotFound(keyName);

  // "It must be set before keys can be rotated on-demand"; what is answered without one is not documented.
  if (vault.local && !hasPolicy(key)) throw badParameter(`Key '${key.name}' has no rotation policy.`);
  if (newest.imported) throw badParameter(`Key '${key.name}' has imported key material and cannot be rotated.`);

  const curve = newest.kty.startsWith('EC') ? curveOf(newest.privateKey) : undefined;

  return createKeyVersion(world, vault, key.name, {
    kty: newest.kty,
    keySize: newest.keySize,
    ...(curve ? { curve } : {}),
    keyOps: [...newest.keyOps],
    tags: world.settings.rotateCopiesTags ? newest.tags : undefined,
    validFor: parseCalendarDuration(key.rotationPolicy?.attributes.expiryTime ?? ''),
  });
}

/** A blank policy is none (Managed HSM, "Configure key autorotation"). */
function hasPolicy({ rotationPolicy }: Key): boolean {
  return (
    rotationPolicy !== undefined &&
    (rotationPolicy.lifetimeActions.length > 0 || !!rotationPolicy.attributes.expiryTime)
  );
}

/** A key of a Managed HSM has at most 100 versions (Managed HSM, "Configure key autorotation"). */
function checkRoom(vault: Vault, keyName: string): void {
  const count = vault.keys.get(keyName.toLowerCase())?.versions.length ?? 0;
  if (vault.local && count >= 100) throw badParameter(`Key '${keyName}' has 100 versions, and takes no more.`);
}

/** Starts the timers of a vault's keys anew: to be called when the vault itself has been recovered. */
export function resumeVault(world: World, vault: Vault): void {
  for (const key of vault.keys.values()) watchLifetime(world, vault, key, rotateKey);
}

/** The vault, the key and one of its versions. */
export interface FoundKeyVersion {
  readonly vault: Vault;
  readonly key: Key;
  readonly version: KeyVersion;
}

/**
 * The named version, or the newest one when `version` is absent or empty. `vaultUri` may end with a slash, or be a
 * vault's name. Undefined when the vault, the key or the version does not exist (any more).
 */
export function findKeyVersion(
  world: World,
  vaultUri: string,
  keyName: string,
  version?: string,
): FoundKeyVersion | undefined {
  const vault = findVault(world, vaultUri);
  const key = vault?.keys.get(keyName.toLowerCase());
  const found = version ? key?.versions.find((one) => one.version === version.toLowerCase()) : key?.versions.at(-1);
  return vault && key && found ? { vault, key, version: found } : undefined;
}

/** The vault, or Managed HSM, with this URI (`https://name.vault.azure.net/`) or host; or the vault of this name. */
export function findVault(world: World, vaultUri: string): Vault | undefined {
  const host = vaultUri.replace(/^https:\/\//i, '').replace(/[:/].*$/, '');
  const [name = '', ...suffix] = host.toLowerCase().split('.');
  return (suffix[0] === 'managedhsm' ? world.managedHsms : world.vaults).get(name);
}

/** False for a host that does not resolve in Azure, because no vault has that name. */
export function vaultExists(world: World, host: string): boolean {
  return /^[a-z0-9-]+\.(vault|managedhsm)\.azure\.net(:\d+)?$/i.test(host) && findVault(world, host) !== undefined;
}

/** `https://<vault>.vault.azure.net/keys/<name>[/<version>]` */
export function keyIdentifier(vault: Vault, keyName: string, version?: string): string {
  const base = `${vault.properties.vaultUri.replace(/\/$/, '')}/keys/${keyName}`;
  return version ? `${base}/${version}` : base;
}

/** Throws the 409 for a name that a soft-deleted key still holds. */
export function refuseDeletedName(vault: Vault, keyName: string): void {
  if (!vault.deletedKeys.has(keyName.toLowerCase())) return;
  throw conflict(
    `Key ${keyName} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.`,
    'ObjectIsDeletedButRecoverable',
  );
}

function sizeOf(privateKey: KeyObject): number {
  const details = privateKey.asymmetricKeyDetails;
  if (details?.modulusLength) return details.modulusLength;
  if (details?.namedCurve === 'secp384r1') return 384;
  return details?.namedCurve === 'secp521r1' ? 521 : 256;
}

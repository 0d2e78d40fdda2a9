import { badRequest } from '../arm/errors.ts';
import { asObject, asString, type JsonObject } from '../json.ts';
import type { StorageEncryption, WorldSettings } from '../world.ts';
import { refusals } from './key-check.ts';

type Services = StorageEncryption['services'];

const serviceNames = ['blob', 'file', 'queue', 'table'];

/**
 * The key fields that a client may set. The service sets the others of `keyvaultproperties`, and ignores them in a
 * request.
 */
const keyFields = ['keyvaulturi', 'keyname', 'keyversion'] as const;

/**
 * `encryption` after a PUT or PATCH, as the request says: without a check of the key, and with the old read-only
 * fields. Pure.
 */
export function patchEncryption(
  current: StorageEncryption,
  patch: JsonObject,
  options: { mode: WorldSettings['encryptionPatch']; nowTimestamp: string; creating: boolean },
): StorageEncryption {
  const merge = options.mode === 'merge';
  const source = asString(patch.keySource) ?? (merge ? current.keySource : 'Microsoft.Storage');
  const keySource = normalizeSource(source);
  const infrastructure = patch.requireInfrastructureEncryption ?? current.requireInfrastructureEncryption;
  if (!options.creating && Boolean(infrastructure) !== Boolean(current.requireInfrastructureEncryption)) {
    throw badRequest(
      'The property requireInfrastructureEncryption cannot be changed after the account was created.',
      'InvalidRequestPropertyValue',
    );
  }

  const next: StorageEncryption = {
    keySource,
    services: patchServices(current.services, asObject(patch.services) ?? {}, options),
    ...(infrastructure === undefined ? {} : { requireInfrastructureEncryption: Boolean(infrastructure) }),
  };

  const identity = patchIdentity(current.identity, patch.identity, merge);
  if (identity) next.identity = identity;

  if (keySource === 'Microsoft.Keyvault') {
    next.keyvaultproperties = patchKey(current.keyvaultproperties, patch.keyvaultproperties, merge);
  }

  refuseIdentityWithKey(current, next);

  return next;
}

/**
 * Storage changes either the key of an account or the identity that reads it. The message is from public reports
 * (bicep-registry-modules#4467), which do not have the code. An account with Microsoft-managed keys may change both at
 * once.
 */
function refuseIdentityWithKey(current: StorageEncryption, next: StorageEncryption): void {
  const before = current.keyvaultproperties;
  const after = next.keyvaultproperties;
  if (!before || !after) return;

  const keepsIdentity =
    (current.identity?.userAssignedIdentity ?? '').toLowerCase() ===
      (next.identity?.userAssignedIdentity ?? '').toLowerCase() &&
    current.identity?.federatedIdentityClientId === next.identity?.federatedIdentityClientId;
  const keepsKey =
    sameVault(before.keyvaulturi, after.keyvaulturi) &&
    before.keyname === after.keyname &&
    (before.keyversion ?? '') === (after.keyversion ?? '');
  if (keepsIdentity || keepsKey) return;

  throw badRequest(
    "The properties 'encryption.identity, encryption.keyvaultproperties' cannot be updated in a single operation.",
    'InvalidRequestPropertyValue',
  );
}

function normalizeSource(source: string): string {
  if (source.toLowerCase() === 'microsoft.keyvault') return 'Microsoft.Keyvault';
  if (source.toLowerCase() === 'microsoft.storage') return 'Microsoft.Storage';
  throw badRequest(
    `'${source}' is not a valid value for property encryption.keySource.`,
    'InvalidValuesForRequestParameters',
  );
}

function patchServices(
  current: Services,
  patch: JsonObject,
  options: { nowTimestamp: string; creating: boolean },
): Services {
  const services: Services = { ...current };

  for (const name of serviceNames) {
    const asked = asObject(patch[name]);
    if (!asked) continue;

    const keyType = asString(asked.keyType) ?? services[name]?.keyType ?? 'Account';
    if (!options.creating && keyType !== (services[name]?.keyType ?? 'Service')) {
      // Queue and table use the account's key only from the creation on.
      throw badRequest(
        `The keyType of service '${name}' cannot be changed after the account was created.`,
        'InvalidRequestPropertyValue',
      );
    }

    services[name] = {
      keyType,
      enabled: true,
      lastEnabledTime: services[name]?.lastEnabledTime ?? options.nowTimestamp,
    };
  }

  return services;
}

/** null removes it, also field by field; the setting decides whether an omitted field is kept. */
function patchIdentity(
  current: StorageEncryption['identity'],
  patch: unknown,
  merge: boolean,
): StorageEncryption['identity'] {
  if (patch === null) return undefined;

  const asked = asObject(patch);
  if (!asked) return merge ? current : undefined;

  const next: NonNullable<StorageEncryption['identity']> = {};

  for (const field of ['userAssignedIdentity', 'federatedIdentityClientId'] as const) {
    const value = asked[field] === undefined && merge ? current?.[field] : asString(asked[field]);

    // An empty identity is kept, and means the system-assigned one (seen in a recording).
    if (value || (value === '' && field === 'userAssignedIdentity')) next[field] = value;
  }

  return Object.keys(next).length > 0 ? next : undefined;
}

function patchKey(
  current: StorageEncryption['keyvaultproperties'],
  patch: unknown,
  merge: boolean,
): NonNullable<StorageEncryption['keyvaultproperties']> {
  const asked = asObject(patch) ?? {};
  const pick = (field: (typeof keyFields)[number]) =>
    asked[field] === undefined && merge ? current?.[field] : asString(asked[field]);
  const keyvaulturi = pick('keyvaulturi');
  const keyname = pick('keyname');
  if (!keyvaulturi || !keyname) throw refusals.noKeyProperties();

  if (!/^https:\/\/[^/?#]+\/?$/i.test(keyvaulturi)) {
    throw badRequest(`'${keyvaulturi}' is not a valid key vault URI.`, 'InvalidRequestPropertyValue');
  }

  // A version belongs to its key: it survives a change of the key only if the request has it again.
  const sameKey = current?.keyname === keyname && sameVault(current.keyvaulturi, keyvaulturi);
  const keyversion = asked.keyversion === undefined && !sameKey ? undefined : pick('keyversion');
  const { keyversion: _, ...readOnly } = sameKey ? current : { keyversion: undefined };

  return {
    ...readOnly,
    keyvaulturi,
    keyname,
    ...(keyversion === undefined ? {} : { keyversion }),
  };
}

/** Compares vault URIs, with or without a slash at the end. */
export function sameVault(a: string, b: string): boolean {
  return a.toLowerCase().replace(/\/$/, '') === b.toLowerCase().replace(/\/$/, '');
}

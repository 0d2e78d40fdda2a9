import { asObject, asString } from '../json.ts';
import { logStorageUse, logUnwraps } from '../log-analytics/vault-log.ts';
import { resolved } from '../storage/apply-encryption.ts';
import { encryptionIdentity } from '../storage/encryption-identity.ts';
import { checkKey, parseKeyUri, refusals } from '../storage/key-check.ts';
import { timestamp } from '../timestamp.ts';
import type { EncryptionScope, StorageAccount } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { badRequest, resourceNotFound } from './errors.ts';
import { requireAccount } from './storage-accounts.ts';

const type = 'Microsoft.Storage/storageAccounts/encryptionScopes';

/** An encryption scope as ARM shows it. */
function scopeBody(account: StorageAccount, scope: EncryptionScope): Record<string, unknown> {
  const { name, source, state, keyVaultProperties, requireInfrastructureEncryption, creationTime, lastModifiedTime } =
    scope;

  return {
    id: `${account.id}/encryptionScopes/${name}`,
    name,
    type,
    properties: {
      // Storage changes the spelling of the request (seen in recordings).
      source: source === 'Microsoft.KeyVault' ? 'Microsoft.Keyvault' : source,
      state,
      ...(keyVaultProperties ? { keyVaultProperties } : {}),
      ...(requireInfrastructureEncryption === undefined ? {} : { requireInfrastructureEncryption }),
      creationTime,
      lastModifiedTime,
    },
  };
}

function find(request: ArmRequest): { account: StorageAccount; scope: EncryptionScope | undefined; name: string } {
  const account = requireAccount(request);
  const name = nameAt(request, 1);
  return { account, name, scope: account.encryptionScopes.get(name.toLowerCase()) };
}

function put(request: ArmRequest): Response {
  const { account, scope, name } = find(request);
  if (!/^(?=.{3,63}$)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*$/.test(name)) {
    throw badRequest(
      'The encryption scope name must be 3 to 63 letters, digits and single dashes.',
      'InvalidEncryptionScopeName',
    );
  }

  const now = timestamp(request.world.clock.nowMs());
  const created = scope ?? {
    name,
    source: 'Microsoft.Storage',
    state: 'Enabled',
    creationTime: now,
    lastModifiedTime: now,
  };

  const changed = change(request, account, created);

  account.encryptionScopes.set(name.toLowerCase(), changed);

  const shown = scopeBody(account, changed);

  // Only this answer has the field even for a scope with a Microsoft-managed key (seen in recordings).
  const properties = { keyVaultProperties: {}, ...asObject(shown.properties) };

  return ok({ ...shown, properties }, scope ? 200 : 201);
}

function patch(request: ArmRequest): Response {
  const { account, scope, name } = find(request);
  if (!scope) throw resourceNotFound(type, `${account.name}/${name}`, request.path.resourceGroup);
  const changed = change(request, account, scope);
  account.encryptionScopes.set(name.toLowerCase(), changed);
  return ok(scopeBody(account, changed));
}

/** The scope after the request. Key Vault sees the account's identity, since a scope has none. */
function change(request: ArmRequest, account: StorageAccount, scope: EncryptionScope): EncryptionScope {
  const { world, body } = request;
  const asked = asObject(body.properties) ?? {};
  const next: EncryptionScope = { ...scope, lastModifiedTime: timestamp(world.clock.nowMs()) };
  const state = asString(asked.state);
  if (state === 'Enabled' || state === 'Disabled') {
    next.state = state;
  } else if (state) {
    throw badRequest(`'${state}' is not a valid state of an encryption scope.`, 'InvalidRequestPropertyValue');
  }

  const source = (asString(asked.source) ?? scope.source).toLowerCase();

  if (asked.requireInfrastructureEncryption !== undefined && scope.requireInfrastructureEncryption === undefined) {
    next.requireInfrastructureEncryption = asked.requireInfrastructureEncryption === true;
  }

  if (source === 'microsoft.storage') {
    next.source = 'Microsoft.Storage';
    delete next.keyVaultProperties;
    return next;
  }

  if (source !== 'microsoft.keyvault') {
    throw badRequest(`'${source}' is not a valid source of an encryption scope.`, 'InvalidRequestPropertyValue');
  }

  const keyUri = asString(asObject(asked.keyVaultProperties)?.keyUri) ?? scope.keyVaultProperties?.keyUri;
  const reference = keyUri === undefined ? undefined : parseKeyUri(keyUri);
  if (keyUri === undefined || !reference) throw refusals.noKeyProperties();

  next.source = 'Microsoft.KeyVault';
  if (keyUri === scope.keyVaultProperties?.keyUri && !world.settings.refreshAutomaticOnPatch) return next;
  if (keyUri === scope.keyVaultProperties?.keyUri && reference.version) return next;

  const version = checkKey(world, reference, encryptionIdentity(world, account.identity, account.encryption));
  const { currentVersionedKeyIdentifier, lastKeyRotationTimestamp } = resolved(world, reference, version);

  next.keyVaultProperties = {
    keyUri,
    currentVersionedKeyIdentifier,
    // A pinned scope has no time of rotation (seen in recordings).
    ...(reference.version ? {} : { lastKeyRotationTimestamp }),
  };

  logUnwraps(world, account);
  logStorageUse(world, account, 'KeyWrap', currentVersionedKeyIdentifier);

  return next;
}

/** `$include=Disabled|Enabled|All`, `$filter=startswith(name, x)`; `$skipToken` is the name of the next scope. */
function list(request: ArmRequest): Response {
  const { query, path } = request;
  const account = requireAccount(request);
  const size = Math.min(Number(query.get('$maxpagesize') ?? 5000) || 5000, 5000);
  const state = query.get('$include') ?? 'All';
  const prefix = /^startswith\(name,\s*'?([^')]*)'?\)$/i.exec(query.get('$filter') ?? '')?.[1]?.toLowerCase() ?? '';
  const from = query.get('$skipToken')?.toLowerCase() ?? '';
  const names = [...account.encryptionScopes.keys()].sort().filter((name) => name.startsWith(prefix) && name >= from);
  const found = names
    .flatMap((name) => account.encryptionScopes.get(name) ?? [])
    .filter((scope) => state === 'All' || scope.state === state);
  const value = found.slice(0, size).map((scope) => scopeBody(account, scope));
  const next = found[size]?.name;
  if (next === undefined) return ok({ value });

  const more = new URLSearchParams(query);

  more.set('$skipToken', next);

  return ok({ value, nextLink: `https://management.azure.com${encodeURI(path.id)}?${more}` });
}

/** Encryption scopes of a storage account. */
export const encryptionScopeRoutes: ArmRoutes = {
  'GET microsoft.storage/storageaccounts/{}/encryptionscopes': list,
  'GET microsoft.storage/storageaccounts/{}/encryptionscopes/{}': (request) => {
    const { account, scope, name } = find(request);
    if (!scope) throw resourceNotFound(type, `${account.name}/${name}`, request.path.resourceGroup);
    return ok(scopeBody(account, scope));
  },
  'PUT microsoft.storage/storageaccounts/{}/encryptionscopes/{}': put,
  'PATCH microsoft.storage/storageaccounts/{}/encryptionscopes/{}': patch,
};

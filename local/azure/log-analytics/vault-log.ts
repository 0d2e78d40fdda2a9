import { randomUUID } from 'node:crypto';
import { asArray, asObject, asString } from '../json.ts';
import { findVault } from '../key-vault/keys.ts';
import { encryptionIdentity } from '../storage/encryption-identity.ts';
import { parseKeyUri } from '../storage/key-check.ts';
import type { StorageAccount, Vault, VaultLogEntry, World } from '../world.ts';

const HOUR_MS = 3_600_000;

/** The workspaces that get a vault's audit log: ARM ids in lower case, and the form of the table. */
export function destinations(world: World, vaultId: string): { workspace: string; table: VaultLogEntry['table'] }[] {
  return [...world.extensions.values()].flatMap(({ type, scope, properties }) => {
    if (type !== 'Microsoft.Insights/diagnosticSettings' || scope.toLowerCase() !== vaultId.toLowerCase()) return [];

    const workspace = asString(properties.workspaceId)?.toLowerCase();
    const logs = (asArray(properties.logs) ?? []).map((one) => asObject(one) ?? {});
    const audits = logs.some(
      ({ enabled, category, categoryGroup }) =>
        enabled === true && (category === 'AuditEvent' || categoryGroup === 'audit' || categoryGroup === 'allLogs'),
    );
    if (!workspace || !audits) return [];

    const table = properties.logAnalyticsDestinationType === 'Dedicated' ? 'AZKVAuditLogs' : 'AzureDiagnostics';

    return [{ workspace, table } as const];
  });
}

type Logged = Pick<VaultLogEntry, 'operation' | 'keyName' | 'version' | 'objectId' | 'appId' | 'status'>;

/**
 * Writes an entry, or a row for an hour of them, if the vault's log has a destination. The same entry within an hour
 * extends the row, so that the log does not grow with every read.
 */
export function writeLog(world: World, vault: Vault, entry: Logged, fromMs: number, toMs = fromMs): void {
  for (const { workspace, table } of destinations(world, vault.id)) {
    const same = world.vaultLog.findLast(
      (one) =>
        one.vaultId === vault.id &&
        one.workspace === workspace &&
        one.operation === entry.operation &&
        one.keyName === entry.keyName &&
        one.version === entry.version &&
        one.objectId === entry.objectId &&
        one.status === entry.status,
    );
    if (same && fromMs >= same.fromMs && fromMs - same.toMs <= HOUR_MS) same.toMs = Math.max(same.toMs, toMs);
    else world.vaultLog.push({ id: randomUUID(), vaultId: vault.id, workspace, table, ...entry, fromMs, toMs });
  }
}

/** Storage's use of a key version, for the account's own key or for a scope. */
export function logStorageUse(
  world: World,
  account: Pick<StorageAccount, 'identity' | 'encryption'>,
  operation: 'KeyWrap' | 'KeyUnwrap',
  versionedIdentifier: string | undefined,
  fromMs: number = world.clock.nowMs(),
  toMs: number = fromMs,
): void {
  const key = parseKeyUri(versionedIdentifier ?? '');
  const vault = key && findVault(world, key.vaultUri);
  if (!key || !vault) return;

  const version = vault.keys.get(key.keyName.toLowerCase())?.versions.find((one) => one.version === key.version);
  const identity = encryptionIdentity(world, account.identity, account.encryption);
  const objectId = identity.kind === 'principal' ? identity.principalId : undefined;
  const known = [...world.identities.values()].find(({ principalId }) => principalId === objectId);
  const isAllowed = version?.keyOps.includes(operation === 'KeyWrap' ? 'wrapKey' : 'unwrapKey') ?? false;
  const status = version?.enabled && isAllowed ? 200 : 403;
  const { keyName } = key;
  const entry = { operation, keyName, version: key.version, objectId, appId: known?.clientId, status };

  writeLog(world, vault, entry, fromMs, toMs);
}

/**
 * Writes the unwraps of an account's key up to now: in this log Storage unwraps once an hour. Every read or change of
 * the account, and every read of the log, calls this first. It assumes that the version had its present state all the
 * time.
 */
export function logUnwraps(world: World, account: StorageAccount, untilMs: number = world.clock.nowMs()): void {
  const fromMs = account.loggedUntilMs ?? untilMs;
  if (untilMs < fromMs) return;

  const times = Math.floor((untilMs - fromMs) / HOUR_MS);
  const inUse = [
    account.encryption.keyvaultproperties?.currentVersionedKeyIdentifier,
    ...[...account.encryptionScopes.values()].map((scope) => scope.keyVaultProperties?.currentVersionedKeyIdentifier),
  ];

  if (times >= 1) {
    for (const one of inUse) {
      if (one) logStorageUse(world, account, 'KeyUnwrap', one, fromMs + HOUR_MS, fromMs + times * HOUR_MS);
    }
  }

  account.loggedUntilMs = fromMs + times * HOUR_MS;
}

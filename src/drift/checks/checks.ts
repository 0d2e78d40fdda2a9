import * as access from './access-checks.ts';
import * as accounts from './account-checks.ts';
import * as app from './app-checks.ts';
import type { Check } from './check.ts';
import * as drills from './drill-checks.ts';
import * as keys from './key-checks.ts';
import * as left from './left-checks.ts';
import { findOtherResourceStale } from './other-checks.ts';
import { findPolicyBlocksMove, findPolicyBlocksRotation } from './policy-checks.ts';
import * as retirement from './retirement-checks.ts';
import type { AccountSubject, AppSubject, KeySubject, VaultSubject } from './subjects.ts';
import * as vaults from './vault-checks.ts';

// The specification of the drift check. Each entry has a promise, its repair, and the function that checks it.

/** Repair of data that the key of an account cannot protect. */
const MOVE_DATA =
  'Create another account (`cmk account create` encrypts both with its key) and move the data there. Azure cannot change this on an existing account. If it has no data to protect, exempt it in CMK_EXEMPTIONS.';

/** Promises about data that the key of an account may not protect. */
export const PROTECTION_CHECKS: readonly Check<AccountSubject>[] = [
  {
    reason: 'QueueOnServiceKey',
    severity: 'error',
    ensures: 'The queues of an account use its customer-managed key (advice if none is required).',
    fix: MOVE_DATA,
    find: accounts.findUseOfServiceKey('queue'),
  },
  {
    reason: 'TableOnServiceKey',
    severity: 'error',
    ensures: 'The tables of an account use its customer-managed key (advice if none is required).',
    fix: MOVE_DATA,
    find: accounts.findUseOfServiceKey('table'),
  },
  {
    reason: 'ScopeNotCustomerManaged',
    severity: 'error',
    ensures: 'An encryption scope of an account that requires a customer-managed key uses one.',
    fix: 'Point it at a key (`az storage account encryption-scope update --key-source Microsoft.KeyVault --key-uri`), or disable it (`--state Disabled`).',
    find: accounts.findScopeNotCustomerManaged,
  },
];

/** Promises about each storage account and its encryption scopes. */
export const ACCOUNT_CHECKS: readonly Check<AccountSubject>[] = [
  {
    reason: 'StaleKeyVersion',
    severity: 'error',
    ensures: 'A pinned account uses the newest usable version of its key within an hour.',
    fix: 'Let the app move it (CMK_AUTOFIX), or run `cmk account pin`.',
    find: accounts.findStaleKeyVersion,
  },
  {
    reason: 'LaggingAutomaticVersion',
    severity: 'warning',
    ensures: 'An automatic account uses a new version within 24 hours.',
    fix: 'Let the app make Storage check again (CMK_AUTOFIX). If the finding remains, check the identity and its role with `cmk account verify`.',
    find: accounts.findLaggingAutomaticVersion,
  },
  {
    reason: 'ScopeStaleKeyVersion',
    severity: 'error',
    ensures: 'An encryption scope uses the newest usable version of its key as soon as an account.',
    fix: 'Let the app move it (CMK_AUTOFIX), or point it at that version (`az storage account encryption-scope update`).',
    find: accounts.findScopeStaleKeyVersion,
  },
  {
    reason: 'PolicyBlocksMove',
    severity: 'warning',
    ensures:
      'Azure Policy allows the app to move an account to a new version of its key (advice if the account is automatic).',
    fix: 'Change the account so that it complies, or ask the owner of the policy to exempt it (`az policy exemption create`). Otherwise a pinned account stays on its old version after the next rotation.',
    find: findPolicyBlocksMove,
  },
  {
    reason: 'NotCustomerManaged',
    severity: 'error',
    ensures: 'An account that is tagged `cmk-key`, or that CMK_REQUIRE names, uses a customer-managed key.',
    fix: 'Configure the key again (`cmk account enable`), or remove the tag or the requirement.',
    find: accounts.findNotCustomerManaged,
  },
  {
    reason: 'VersionReverted',
    severity: 'warning',
    ensures: 'A pinned account is never moved back to an older version of its key.',
    fix: 'Determine who moved it and why. A template or script that names a version moves it at each run.',
    find: left.findVersionReverted,
  },
  {
    reason: 'ContestedChange',
    severity: 'error',
    ensures: "The app and another party do not undo each other's changes.",
    fix: 'Stop the other party (for instance, remove the key version from its template). Then release the account, and the app moves it again.',
    find: left.findContestedChange,
  },
  {
    reason: 'NoLongerCustomerManaged',
    severity: 'error',
    ensures: 'An account that used a key of a managed vault still uses a customer-managed key, unless it opted out.',
    fix: 'Configure the key again (`cmk account enable`). If this is intended, tag the account `cmk-opt-out` with the date and the reason, as `cmk account disable` does, or exempt it in CMK_EXEMPTIONS.',
    find: left.findNoLongerCustomerManaged,
  },
  {
    reason: 'UnexpectedKey',
    severity: 'error',
    ensures: 'An account uses the key that its tag `cmk-key` names.',
    fix: 'Point the account at the key of its tag (`cmk account change-key`), or correct the tag.',
    find: accounts.findUnexpectedKey,
  },
  {
    reason: 'UnmanagedVault',
    severity: 'advice',
    ensures: 'The key of an account is in a vault that the app manages.',
    fix: 'Add the vault to CMK_VAULTS, or use a key of a managed vault.',
    find: accounts.findUnmanagedVault,
  },
  {
    reason: 'KeyDisabled',
    severity: 'error',
    ensures: 'The key version that an account uses is enabled.',
    fix: 'Ask who disabled the version and why before you enable it: the log of the vault and `cmk audit list` tell. If the key was revoked, restore it.',
    find: accounts.findKeyDisabled,
  },
  {
    reason: 'KeyExpired',
    severity: 'warning',
    ensures:
      'The key version that an account uses has not expired (data stays readable, but Storage rejects new accounts; an error if it stops another user).',
    fix: 'Rotate the key: the app moves its accounts to the new version, and their data stays available. For an inaccessible PostgreSQL server, first extend the expiry, and rotate once the server is Ready.',
    find: accounts.findKeyExpired,
  },
  {
    reason: 'KeyDeleted',
    severity: 'error',
    ensures: 'The key that an account uses exists.',
    fix: 'Recover the key (`az keyvault key recover`), or its vault (`az keyvault recover`), before its retention ends. Only a backup can restore a purged key (`az keyvault key restore`). Without the key the data is lost.',
    find: accounts.findKeyDeleted,
  },
  {
    reason: 'IdentityMissing',
    severity: 'error',
    ensures: 'The identity in the encryption settings of an account is attached to it.',
    fix: 'Attach the identity again, or choose another identity with the role on the key.',
    find: access.findIdentityMissing,
  },
  {
    reason: 'IdentityDeleted',
    severity: 'error',
    ensures: 'The attached identity in the encryption settings of an account exists.',
    fix: 'Give the account another identity with the role on the key (`cmk account enable --replace-identity`). An identity created again under the same name does not replace the deleted one.',
    find: access.findIdentityDeleted,
  },
  {
    reason: 'IdentityWithoutRole',
    severity: 'error',
    ensures: "The account's identity may get, wrap and unwrap with the key.",
    fix: 'If `cmk account revoke` removed its access (`cmk audit list --account …` tells), leave it, or run `cmk account restore`. Otherwise assign the identity the role "Key Vault Crypto Service Encryption User" on the vault; the accounts then recover automatically. In a Managed HSM, assign "Managed HSM Crypto Service Encryption User" (`cmk admin grant-role`). In a vault with access policies, add the key permissions get, wrapKey and unwrapKey.',
    find: access.findIdentityWithoutRole,
  },
  {
    reason: 'RoleExpires',
    severity: 'warning',
    ensures: "The role of the account's identity on its key does not expire within 30 days (below 3: an error).",
    fix: 'Make the assignment permanent in Privileged Identity Management, or assign the role again without an expiry.',
    find: access.findRoleExpires,
  },
  {
    reason: 'TenantMismatch',
    severity: 'error',
    ensures:
      'An account and the vault of its key belong to one tenant, unless the account signs in with a multitenant application.',
    fix: 'Give the vault the tenant of its subscription (Key Vault, "Moving a vault to another tenant"), and assign its roles again. For an intended key of another tenant, run `az storage account update --key-vault-federated-client-id`.',
    find: access.findTenantMismatch,
  },
  ...PROTECTION_CHECKS,
];

/** Promises about each key of a managed vault. */
export const KEY_CHECKS: readonly Check<KeySubject>[] = [
  {
    reason: 'KeyTooOld',
    severity: 'warning',
    ensures: 'The newest version of a key is at most two years old.',
    fix: 'Rotate the key (`cmk key rotate`), and set a rotation policy.',
    find: keys.findKeyTooOld,
  },
  {
    reason: 'NearExpiry',
    severity: 'warning',
    ensures:
      'The newest version of a key is valid for 30 days, or its policy rotates it in time. An error below 10 days, or if its expiry stops virtual machines, PostgreSQL or App Configuration.',
    fix: 'Rotate the key, or import a new version of imported key material, and first move the resources that an expired key stops. For an inaccessible PostgreSQL server, first extend the expiry, and rotate once the server is Ready.',
    find: keys.findNearExpiry,
  },
  {
    reason: 'RotationIncomplete',
    severity: 'warning',
    ensures: 'A new version of a key gets an expiry and the tags of the previous version within a day.',
    fix: 'Complete it (`cmk key rotate`), or set an expiry on the version.',
    find: keys.findRotationIncomplete,
  },
  {
    reason: 'RotationStuck',
    severity: 'error',
    ensures: 'A rotation continues until every user of the key is on the new version.',
    fix: 'Remove the causes that `cmk rotation list` names; the app retries rejected moves. Resume a blocked rotation with `cmk rotation resume`.',
    find: keys.findRotationStuck,
  },
  {
    reason: 'NoExpiry',
    severity: 'advice',
    ensures:
      'A key version expires, so that Key Vault raises an event before. Not checked for MySQL, whose documentation contradicts itself on expiry.',
    fix: 'Set an expiry time in the rotation policy of the key, then rotate it.',
    find: keys.findNoExpiry,
  },
  {
    reason: 'NoRotationPolicy',
    severity: 'advice',
    ensures: 'A policy rotates a key, unless its tag requires manual rotation.',
    fix: 'Set a rotation policy, or the tag `cmk-rotation: manual` on its newest version.',
    find: keys.findNoRotationPolicy,
  },
  {
    reason: 'PolicyBlocksRotation',
    severity: 'warning',
    ensures: 'Azure Policy denies no version that the next rotation of a key would create.',
    fix: 'Give versions a lifetime that the policy allows (`cmk key ensure --version-lifetime`). For type or size: move to a key that it allows (`cmk rekey`), or ask the owner of the policy to exempt the vault (`az policy exemption create`).',
    find: findPolicyBlocksRotation,
  },
  {
    reason: 'UnsupportedKey',
    severity: 'warning',
    ensures: 'A key has a type and size that Storage supports.',
    fix: 'Create an RSA key of 2048, 3072 or 4096 bits. Keep other keys in a separate vault.',
    find: keys.findUnsupportedKey,
  },
  {
    reason: 'KeyOperationsMissing',
    severity: 'error',
    ensures: 'The newest version of a key allows the operations of Storage: wrap and unwrap.',
    fix: 'Allow both (`az keyvault key set-attributes --ops`). A rotation may copy the operations of the previous version.',
    find: keys.findKeyOperationsMissing,
  },
  {
    reason: 'KeyTooSmall',
    severity: 'error',
    ensures: 'An RSA key has at least the bits that CMK_KEY_MINIMUM requires.',
    fix: 'Create a larger key and move all users to it (`cmk rekey start`): a rotation keeps the size.',
    find: keys.findKeyTooSmall,
  },
  {
    reason: 'KeyNotInHsm',
    severity: 'error',
    ensures: 'A key is in hardware if CMK_KEY_MINIMUM requires it.',
    fix: 'Create an RSA-HSM key, in a premium vault or a Managed HSM, and move all users to it (`cmk rekey start`): a rotation keeps the type.',
    find: keys.findKeyNotInHsm,
  },
  {
    reason: 'RevocationOpen',
    severity: 'warning',
    ensures: 'Each revoked key is a finding until an operator restores it.',
    fix: 'Let a second person restore it once the incident is over.',
    find: keys.findRevocationOpen,
  },
  {
    reason: 'RevokedVersionEnabled',
    severity: 'error',
    ensures: 'Every version of a revoked key is disabled.',
    fix: 'Revoke the key again, or restore it. Do not enable its versions manually.',
    find: keys.findRevokedVersionEnabled,
  },
  {
    reason: 'RevocationRecordLost',
    severity: 'error',
    ensures: 'Only a restore ends a revocation.',
    fix: 'Another tool removed the record from the tags, probably a pipeline that manages the key: stop it, or let it ignore the tags. If the key must stay cut off, revoke it again. If not, enable the versions that should serve, and restore the revocation by its id through the API: that records its end.',
    find: keys.findRevocationRecordLost,
  },
  {
    reason: 'DrillFailed',
    severity: 'error',
    ensures: 'The last drill on a key passed.',
    fix: 'Remove the cause of the failed step (`cmk audit list` has the record of the drill), and run the drill again (`cmk drill run`).',
    find: drills.findDrillFailed,
  },
  {
    reason: 'RetirableVersion',
    severity: 'advice',
    ensures: 'Unused versions are disabled.',
    fix: 'If the log of the vault proves it unused, the app disables it with `RetirableVersion` in CMK_AUTOFIX. Otherwise determine whether another client uses it. If none does, run `cmk key retire … --without-evidence`.',
    find: retirement.findRetirableVersion,
  },
  {
    reason: 'OldVersionInUse',
    severity: 'warning',
    ensures: "The vault's log shows no unknown client on an old version.",
    fix: 'Identify the client by its object id. Move it to the newest version, or enable a retired version again: `cmk key unretire`.',
    find: retirement.findOldVersionInUse,
  },
  {
    reason: 'OtherResourceStale',
    severity: 'warning',
    ensures: 'A resource of another service that names a key version names the newest usable version within a day.',
    fix: 'Point it at that version, or make it follow the key automatically, as its service describes. The app moves only storage accounts.',
    find: findOtherResourceStale,
  },
  {
    reason: 'PinnedVersion',
    severity: 'advice',
    ensures: 'Accounts follow the newest version automatically, even if this app stops.',
    fix: 'Change them to automatic unless they need a pinned version. The app moves pinned accounts too.',
    find: keys.findPinnedVersion,
  },
];

/** Promises about each managed vault. */
export const VAULT_CHECKS: readonly Check<VaultSubject>[] = [
  {
    reason: 'VaultNotFound',
    severity: 'error',
    ensures: 'Every vault of CMK_VAULTS exists.',
    fix: 'Recover the vault (`az keyvault recover`). If it was moved, correct its ARM id in CMK_VAULTS. Remove it from CMK_VAULTS once no account needs its keys.',
    find: vaults.findVaultNotFound,
  },
  {
    reason: 'PurgeProtectionOff',
    severity: 'error',
    ensures: 'A vault has purge protection.',
    fix: 'Turn it on: `az keyvault update --enable-purge-protection true`. Azure cannot turn it off again.',
    find: vaults.findPurgeProtectionOff,
  },
  {
    reason: 'SoftDeleteOff',
    severity: 'error',
    ensures: 'A vault has soft delete.',
    fix: 'Turn it on: `az keyvault update --enable-soft-delete true`.',
    find: vaults.findSoftDeleteOff,
  },
  {
    reason: 'VaultUnreachable',
    severity: 'error',
    ensures: 'The network of a vault permits Storage, which unwraps the keys of its accounts.',
    fix: 'Permit trusted services (`az keyvault update --bypass AzureServices`). With a network security perimeter, add the accounts to it too.',
    find: vaults.findVaultUnreachable,
  },
  {
    reason: 'AuditLogOff',
    severity: 'warning',
    ensures:
      'A diagnostic setting exports the audit log of a vault, the only record of who used, disabled or deleted a key.',
    fix: 'Create a diagnostic setting for AuditEvent (`az monitor diagnostic-settings create`). infra/ creates one for each managed vault.',
    find: vaults.findAuditLogOff,
  },
  {
    reason: 'VaultNotLocked',
    severity: 'advice',
    ensures: 'A lock prevents the deletion of a vault whose keys are in use.',
    fix: 'Create a lock on it (`az lock create --lock-type CanNotDelete`). It also prevents the removal of roles on the vault, so an operator who revokes one account then needs Microsoft.Authorization/locks/delete.',
    find: vaults.findVaultNotLocked,
  },
  {
    reason: 'EventSubscriptionMissing',
    severity: 'error',
    ensures: 'Event Grid delivers each key event of a vault to this app.',
    fix: 'Create the event subscription again: run `cmk admin ensure-events` in a shell that is signed in to Azure (`az login`). The app creates it if CMK_AUTOFIX has the code.',
    find: vaults.findEventSubscriptionMissing,
  },
  {
    reason: 'EventSubscriptionMisaimed',
    severity: 'error',
    ensures: 'An event subscription has the required types, destination, schema, retries and dead-letter destination.',
    fix: 'Let the app fix it (CMK_AUTOFIX), or deploy the event subscriptions again.',
    find: vaults.findEventSubscriptionMisaimed,
  },
  {
    reason: 'EventDeliveryFailing',
    severity: 'warning',
    ensures: 'Event Grid delivered every event of the last 24 hours.',
    fix: "Read the dead letters in the container cmk-deadletter of the app's own storage to find out why the app rejected the events. The check compares all accounts, including theirs.",
    find: vaults.findEventDeliveryFailing,
  },
];

/** Promises about the app itself. */
export const APP_CHECKS: readonly Check<AppSubject>[] = [
  {
    reason: 'SelfLockout',
    severity: 'error',
    ensures: "The app's own storage uses no key that the app may revoke.",
    fix: "Configure the app's storage to use Microsoft-managed keys, or a key of a vault that the app does not manage.",
    find: app.findSelfLockout,
  },
  {
    reason: 'PoisonMessages',
    severity: 'error',
    ensures: 'No poison queue contains messages.',
    fix: 'Search the log for Poisoned, or for the reason why the host ended the function, and fix the reason. Then replay the messages with `cmk admin replay`, or delete them.',
    find: app.findPoisonMessages,
  },
  {
    reason: 'AuditTrailBroken',
    severity: 'error',
    ensures: 'No record of the audit trail is changed, removed, moved or inserted.',
    fix: 'Run `cmk audit verify`, and compare with the receipts in the log (AuditWritten). Determine which client wrote to the container cmk-audit. The app keeps writing the trail. Exempt the finding once it is explained.',
    find: app.findAuditTrailBroken,
  },
  {
    reason: 'DrillOverdue',
    severity: 'warning',
    ensures: 'A drill of break-glass passes within CMK_DRILL_INTERVAL.',
    fix: 'Run a drill (`cmk drill run`); docs/how-to/drill.md has the steps. If you do not want drills, remove CMK_DRILL_INTERVAL.',
    find: drills.findDrillOverdue,
  },
  {
    reason: 'ChangesNotWatched',
    severity: 'advice',
    ensures: 'The app detects a change that causes drift immediately, not an hour later.',
    fix: 'Deploy with `watchChanges`, or run `cmk admin watch-changes`. If you do not want it, set CMK_WATCH_CHANGES to off.',
    find: app.findChangesNotWatched,
  },
  {
    reason: 'MissingPermission',
    severity: 'error',
    ensures: 'The app may read everything that it manages.',
    fix: "Assign the app's identity a role with the named action (infra/ does this). Actions that begin with Microsoft.KeyVault/managedHsm/ need a local role of the Managed HSM (docs/how-to/managed-hsm.md). If the error names the network, permit the app in the network rules.",
    find: app.findMissingPermission,
  },
  {
    reason: 'SettingsInvalid',
    severity: 'error',
    ensures: 'The settings of the drift check are valid, and the app knows the name of every `CMK_…` setting.',
    fix: 'Correct the named app setting; docs/reference/settings.md lists all settings.',
    find: app.findSettingsInvalid,
  },
  {
    reason: 'Unreadable',
    severity: 'error',
    ensures: 'The app can read everything that it checks. Each failed read is a finding.',
    fix: 'Fix the error in the response. The next check reads again.',
    find: app.findUnreadFindings,
  },
];

export const ALL_CHECKS = [...ACCOUNT_CHECKS, ...KEY_CHECKS, ...VAULT_CHECKS, ...APP_CHECKS];

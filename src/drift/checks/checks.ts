import * as access from './access-checks.ts';
import * as accounts from './account-checks.ts';
import { APP_CHECKS } from './app-checks.ts';
import type { Check } from './check.ts';
import * as keys from './key-checks.ts';
import * as left from './left-checks.ts';
import { MATERIAL_CHECKS } from './material-checks.ts';
import { otherResourceStale } from './other-checks.ts';
import { policyBlocksRotation } from './policy-checks.ts';
import { PROTECTION_CHECKS } from './protection-checks.ts';
import * as retirement from './retirement-checks.ts';
import type { AccountSubject, KeySubject } from './subjects.ts';
import { VAULT_CHECKS } from './vault-checks.ts';

// The specification of the drift check: each entry is one promise, with what repairs it and the function that checks it.

/** Promises about each storage account and its encryption scopes. */
export const ACCOUNT_CHECKS: readonly Check<AccountSubject>[] = [
  {
    reason: 'StaleKeyVersion',
    severity: 'error',
    ensures: 'A pinned account is at the newest usable version of its key within an hour of its becoming usable.',
    fix: 'Let the app move it (CMK_AUTOFIX), or run `cmk account pin`.',
    find: accounts.staleKeyVersion,
  },
  {
    reason: 'LaggingAutomaticVersion',
    severity: 'warning',
    ensures: 'An automatic account takes a new version within 24 hours.',
    fix: 'Let the app have Storage check again (CMK_AUTOFIX). If the finding stays, check the identity and its role with `cmk account verify`.',
    find: accounts.laggingAutomaticVersion,
  },
  {
    reason: 'ScopeStaleKeyVersion',
    severity: 'error',
    ensures: 'An encryption scope uses the newest usable version of its key, as soon as an account would.',
    fix: 'Let the app move it (CMK_AUTOFIX), or point it at that version (`az storage account encryption-scope update`).',
    find: accounts.scopeStaleKeyVersion,
  },
  {
    reason: 'NotCustomerManaged',
    severity: 'error',
    ensures: 'An account that is tagged `cmk-key`, or that CMK_REQUIRE names, uses a customer-managed key.',
    fix: 'Configure the key again (`cmk account enable`), or remove the tag or the requirement.',
    find: accounts.notCustomerManaged,
  },
  {
    reason: 'VersionReverted',
    severity: 'warning',
    ensures: 'A pinned account is never moved back to an older version of its key.',
    fix: 'Find out who moved it and why: a template or a script that names a version does so each time it runs.',
    find: left.versionReverted,
  },
  {
    reason: 'ContestedChange',
    severity: 'error',
    ensures: 'The app and another party do not undo the work of each other.',
    fix: 'Stop the other party (for instance, remove the key version from a template that pins it), then release the account: the app moves it again.',
    find: left.contestedChange,
  },
  {
    reason: 'NoLongerCustomerManaged',
    severity: 'error',
    ensures:
      'An account that used a key of a managed vault still uses a customer-managed key, unless it left on purpose.',
    fix: 'Configure the key again (`cmk account enable`). Where it is meant: tag the account `cmk-opt-out` with the date and the reason, as `cmk account disable` does, or exempt it in CMK_EXEMPTIONS.',
    find: left.noLongerCustomerManaged,
  },
  {
    reason: 'UnexpectedKey',
    severity: 'error',
    ensures: 'An account uses the key that its tag `cmk-key` names.',
    fix: 'Point the account at the key of its tag (`cmk account change-key`), or correct the tag.',
    find: accounts.unexpectedKey,
  },
  {
    reason: 'UnmanagedVault',
    severity: 'advice',
    ensures: 'The key of an account is in a vault that this app looks after.',
    fix: 'Add the vault to CMK_VAULTS, or use a key of a managed vault.',
    find: accounts.unmanagedVault,
  },
  {
    reason: 'KeyDisabled',
    severity: 'error',
    ensures: 'The key version that an account uses is enabled.',
    fix: 'Enable the version, or restore the key if it was revoked, and only then move the account.',
    find: accounts.keyDisabled,
  },
  {
    reason: 'KeyExpired',
    severity: 'warning',
    ensures:
      'The key version that an account uses has not expired (data stays readable, new accounts are refused; where it stops another user, an error).',
    fix: 'Rotate the key: the app moves its accounts to the new version, and their data stays available. A PostgreSQL server that is inaccessible needs the expiry extended first; rotate once it is Ready.',
    find: accounts.keyExpired,
  },
  {
    reason: 'KeyDeleted',
    severity: 'error',
    ensures: 'The key that an account uses exists.',
    fix: 'Recover the key (`az keyvault key recover`), or its vault (`az keyvault recover`), before its retention ends; one that was purged comes back from a backup alone (`az keyvault key restore`). Without the key the data is lost.',
    find: accounts.keyDeleted,
  },
  {
    reason: 'IdentityMissing',
    severity: 'error',
    ensures: 'The identity that the encryption settings of an account name is attached to it.',
    fix: 'Attach the identity again, or choose another one that has its role on the key.',
    find: access.identityMissing,
  },
  {
    reason: 'IdentityDeleted',
    severity: 'error',
    ensures: 'The identity that is attached to an account, and that its encryption settings name, exists.',
    fix: 'Give the account another identity that has its role on the key (`cmk account enable --replace-identity`); one made again under the same name is another one.',
    find: access.identityDeleted,
  },
  {
    reason: 'IdentityWithoutRole',
    severity: 'error',
    ensures: "The account's identity may read, wrap and unwrap with the key.",
    fix: 'Give the identity the role "Key Vault Crypto Service Encryption User" on the vault; the accounts then recover by themselves. In a Managed HSM the role is "Managed HSM Crypto Service Encryption User" (`cmk admin grant-role`); where the vault has access policies, the key permissions get, wrapKey and unwrapKey.',
    find: access.identityWithoutRole,
  },
  {
    reason: 'RoleExpires',
    severity: 'warning',
    ensures:
      "The role that the account's identity has on its key is for good, or for 30 days more (below 3: an error).",
    fix: 'Make the assignment permanent in Privileged Identity Management, or give the role anew, without an end.',
    find: access.roleExpires,
  },
  {
    reason: 'TenantMismatch',
    severity: 'error',
    ensures:
      'An account and the vault of its key are of one tenant, unless the account signs in by an application of both.',
    fix: 'Give the vault the tenant of its subscription (Key Vault, "Moving a vault to another tenant"), and its access anew; for a key that is another tenant\'s on purpose, `az storage account update --key-vault-federated-client-id`.',
    find: access.tenantMismatch,
  },
  ...PROTECTION_CHECKS,
  {
    reason: 'LegacyRevocation',
    severity: 'error',
    ensures: 'Nothing that version 2 revoked below its key is taken for revoked.',
    fix: 'Restore it with `cmk account restore`, a scope as docs/how-to/upgrade.md says; or delete its tags `cmk-revoked-…`, where access is to stay removed. What has to stay revoked is a key.',
    find: left.legacyRevocation,
  },
];

/** Promises about each key of a managed vault. */
export const KEY_CHECKS: readonly Check<KeySubject>[] = [
  {
    reason: 'KeyTooOld',
    severity: 'warning',
    ensures: 'The newest version of a key is at most two years old.',
    fix: 'Rotate the key (`cmk key rotate`), and give it a rotation policy.',
    find: keys.keyTooOld,
  },
  {
    reason: 'NearExpiry',
    severity: 'warning',
    ensures:
      'The newest version of a key is valid for 30 days (below 10, or where its expiry stops virtual machines, PostgreSQL or App Configuration: an error), or its policy rotates it in time.',
    fix: 'Rotate the key, or import a new version of imported key material, and move what an expired key stops before that. A PostgreSQL server that is inaccessible needs the expiry extended first; rotate once it is Ready.',
    find: keys.nearExpiry,
  },
  {
    reason: 'RotationIncomplete',
    severity: 'warning',
    ensures: 'A new version of a key has the expiry and the tags of the one before within a day.',
    fix: 'Complete it (`cmk key rotate`), or give the version an expiry.',
    find: keys.rotationIncomplete,
  },
  {
    reason: 'RotationStuck',
    severity: 'error',
    ensures: 'A rotation goes on until everything that uses the key is on the new version.',
    fix: 'Remove the causes that `cmk rotation list` names; what Azure refused is tried again. Resume a rotation that is held with `cmk rotation resume`.',
    find: keys.rotationStuck,
  },
  {
    reason: 'NoExpiry',
    severity: 'advice',
    ensures:
      'A key version expires, so that Key Vault asks in time for a new one (silent for a key of MySQL, whose pages contradict each other on expiry).',
    fix: 'Set an expiry time in the rotation policy of the key, then rotate it.',
    find: keys.noExpiry,
  },
  {
    reason: 'NoRotationPolicy',
    severity: 'advice',
    ensures: 'A key is rotated by a policy, unless it is tagged to be rotated by hand.',
    fix: 'Set a rotation policy, or the tag `cmk-rotation: manual` on its newest version.',
    find: keys.noRotationPolicy,
  },
  {
    reason: 'PolicyBlocksRotation',
    severity: 'warning',
    ensures: 'Azure Policy denies no version that the next rotation of a key would make.',
    fix: 'Give versions a lifetime that the policy allows (`cmk key ensure --version-lifetime`). For type or size: move to a key that it allows (`cmk rekey`), or ask the owner of the policy to exempt the vault (`az policy exemption create`).',
    find: policyBlocksRotation,
  },
  ...MATERIAL_CHECKS,
  {
    reason: 'RevocationOpen',
    severity: 'warning',
    ensures: 'No key stays revoked unnoticed.',
    fix: 'Restore it by a second person once the incident is over.',
    find: keys.revocationOpen,
  },
  {
    reason: 'RevokedVersionEnabled',
    severity: 'error',
    ensures: 'Every version of a revoked key is disabled.',
    fix: 'Revoke the key again, or restore it; do not enable its versions by hand.',
    find: keys.revokedVersionEnabled,
  },
  {
    reason: 'RetirableVersion',
    severity: 'advice',
    ensures: 'Unused versions are disabled.',
    fix: 'Where the log of the vault proves it: `cmk key retire … --with-evidence`; or find out whether something out of sight uses it, and where nothing does: `cmk key retire … --without-evidence`.',
    find: retirement.retirableVersion,
  },
  {
    reason: 'OldVersionInUse',
    severity: 'warning',
    ensures: "The vault's log shows no unknown client on an old version.",
    fix: 'Find out who it is, by the object id; move it to the newest version, or take a retired one back: `cmk key unretire`.',
    find: retirement.oldVersionInUse,
  },
  {
    reason: 'OtherResourceStale',
    severity: 'warning',
    ensures: 'A resource of another service that names a version of a key names the newest usable one within a day.',
    fix: 'Point it at that version, or have it follow the key by itself, as its service describes; the app moves storage accounts alone.',
    find: otherResourceStale,
  },
  {
    reason: 'PinnedVersion',
    severity: 'advice',
    ensures: 'Accounts follow the newest version by themselves, even if this app stops.',
    fix: 'Change them to automatic unless they need a pinned version; the app moves pinned accounts all the same.',
    find: keys.pinnedVersion,
  },
];

/** Of a key that the app revokes or restores. */
export const REVOCATION_CHECKS = KEY_CHECKS.filter(
  ({ find }) => find === keys.revocationOpen || find === keys.revokedVersionEnabled,
);

/** Of a resource of another service that uses a key. */
export const KEY_USER_CHECKS = KEY_CHECKS.filter(({ find }) => find === otherResourceStale);

export const ALL_CHECKS = [...ACCOUNT_CHECKS, ...KEY_CHECKS, ...VAULT_CHECKS, ...APP_CHECKS];

import { REFUSALS, type Refusal } from './refusals.ts';

const SENTENCES = Object.fromEntries(
  Object.entries(REFUSALS).map(([code, { sentence }]) => [code, sentence]),
) as Readonly<Record<Refusal, string>>;

/**
 * Every reason code with its meaning. Logs, audit records, reports and HTTP responses use no other codes, so alert rules
 * and scripts can rely on them.
 */
export const REASONS = {
  ...SENTENCES,

  // Settings and messages
  InvalidMessage: 'The app does not know the format of a queue message.',
  DeferredForLong: 'The app has deferred work for more than an hour, and keeps retrying it.',
  Poisoned: 'The app could not process a message, and moved it to the poison queue.',

  // Events
  EventAccepted: 'The app accepted an event and reconciles its key.',
  HsmKeyChanged: "A key of a Managed HSM changed after the app's last read.",
  HsmUnwatched: 'The app could not read a Managed HSM or a key of it, and will detect its new versions later.',
  EventMalformed: 'An event lacks a required field of a Key Vault event.',
  EventTypeUnknown: 'The function does not handle the type of an event.',
  EventVaultNotManaged: 'An event names a vault that is not in CMK_VAULTS.',
  EventVaultMismatch: 'An event names a key of a different vault than its source.',

  // Keys
  VersionNotYetActive: 'A newer version becomes active later. The app then reconciles the key again.',

  // Calls of the API, revocations and their record
  CallRefused: 'The app rejected a call of the HTTP API.',
  CallsRefused: 'The app rejected more calls of the HTTP API than it logs separately. This record counts the rest.',
  CallAnswered: 'The app answered a call of the HTTP API.',
  AuditWritten: 'The app wrote a record to the audit trail. This is its receipt.',
  AuditTrailVerified: 'The app verified the audit trail up to this record.',
  AuditTrailBroken: 'Records of the audit trail were changed, removed, moved or inserted since the last verification.',
  AuditFailed: 'The app could not write an action to the audit trail. This record contains it.',
  Revoked: 'Every version of the key is disabled, as a fresh read proves.',
  StillOpen: 'The app could not disable a version of a revoked key.',
  KeptRevoked: 'The app disabled a version that appeared while the key was revoked, under the same revocation.',
  KeptRevokedUnrecorded:
    'The app disabled a version of a revoked key, but its tags had no space for the record. A restore does not enable it. After the restore, enable it manually or create a new version.',
  RestoreBegun: 'A restore began. If its process dies, the app finishes the restore.',
  RestoreFinished: 'The app finished a restore that was interrupted or partly undone by a late write.',
  Restored: 'Every version that the revocation disabled is enabled again.',
  NothingToRestore: 'The key has no such open revocation. The app changed nothing.',
  DryRun: 'The app changed nothing, and shows what a revocation would do.',

  // Blast radius and effect
  SharesUnreadable: 'The app cannot list the file shares of an account.',
  OtherResourcesUnreadable: 'Resource Graph did not return every other resource that uses the key.',
  TimeUp: 'The read exceeded its deadline, so the result may be incomplete.',
  FileServiceRefuses: 'The file or blob service of an account rejects requests because it cannot use the key.',
  EffectSeen: 'The file or blob service shows the expected effect of the key change.',
  EffectNotSeen: 'The file or blob service of some accounts does not show the expected effect of the key change.',
  EffectNotShown: 'The file or blob service of some accounts does not show the effect yet. The app probes again.',
  ProbeSuperseded: 'The key was changed again. The app probes the newer change instead.',

  // Rotation on near expiry
  RotationBegun: 'The app asks Key Vault for a new version of the key. Another record has the result.',
  Rotated: 'The key was rotated.',
  RotationCompleted: 'The app set the expiry and tags of the previous version on a new version without expiry.',
  NotNearExpiry: 'The newest version does not expire soon, so the app does not rotate the key, despite the event.',
  NoDependents: 'No managed resource uses the key, and it has no tag `cmk-rotation: auto`. Its owners must rotate it.',
  DependentsUnknown:
    'The app could not determine whether a resource uses the key, and does not rotate it until it can.',
  PolicyRotates: "The key's own rotation policy rotates it, so the app does not.",
  ManualRotation: 'The key is tagged for manual rotation. An operator must rotate it.',
  RotatedRecently:
    'The key was rotated within the last week and nears its expiry again. An operator must extend its lifetime.',
  RotationRefused: 'Key Vault rejected the rotation of the key.',
  KeyExpired: 'A key version has expired.',
  RotationFinished: 'Every resource on the key uses its newest usable version, except resources that Storage updates.',
  RotationStuck: 'Accounts are not on the newest usable version of their key, and none has moved for 15 minutes.',

  // Control of rotations
  Paused: 'An operator paused moves and rotations. They resume when the pause ends. Break-glass is not paused.',
  Resumed: 'An operator ended a pause, had failed accounts retried, or continued a rotation that a failed stage holds.',
  CanaryUnderWay:
    'The app moves the first accounts of the rotation. The others start once these serve with the new version.',
  CanaryFailed:
    'The rotation is blocked: its first accounts are not on the new version, or do not serve. It resumes once they do, or when an operator resumes it.',
  CanaryUnseen: 'The app could not probe some first accounts of the rotation. The rotation continues without them.',
  StageWidened: 'The rotation admits more accounts.',
  WaveNotBegun: 'The wave of the account has not started, because an earlier wave is not complete.',
  WaveFailed:
    'The rotation is blocked: too many accounts of a wave failed to move. It resumes once they move, or when an operator resumes it.',

  // Accounts and encryption scopes
  UpToDate: 'The resource already uses the newest usable version. The app wrote nothing.',
  Moved: "The app moved the resource to the newest usable version, and Azure's response confirms it.",
  MoveObserved:
    'A worker that ended early had announced this version, and the resource uses it now. The app cannot tell whether that worker or another actor made the change.',
  PickUpObserved:
    'The resource is automatic and uses another version since the time of Azure. The app did not move it: Storage picked the version up, or an update by another writer made it.',
  StaleKeyVersion: 'The account is pinned to an older version than the newest usable one.',
  PinNotInUse:
    'The resource is pinned to the newest usable version, but Azure still uses another. The app writes the pin again.',
  Refreshed: 'The resource is automatic: the app asked Storage to check for a new version, and Storage uses it now.',
  LaggingAutomaticVersion:
    'The account is automatic and still on an older version. Storage checks for a new version once a day.',
  NeverBackwards:
    'The resource uses a newer version than every usable one, or one of the same second. The app does not move it back.',
  UnknownVersion: 'The resource uses a version that does not exist in the key.',
  NotCustomerManaged: 'The resource uses Microsoft-managed keys.',
  LeftByCheck: 'The account is not on the newest version, but CMK_EXEMPTIONS or CMK_AUTOFIX excludes it from repair.',
  AccountNotFound: 'The account no longer exists.',
  UseFailed: 'The app failed eight times to move an account or an encryption scope, and retries once an hour.',
  ChangedByOthers: 'The resource uses another version or key than the index has: an operator or Storage changed it.',
  Busy: 'Another worker holds the lease, or the pass ended first. The app retries soon.',

  // Telemetry
  TelemetryFailed: 'The app cannot send traces and metrics. Its other functions continue.',

  // Re-keys
  RekeyOrdered: 'A re-key order moves the resource to another key.',
  Rekeyed: 'The app moved the resource to the newest usable version of the target key, and verified it.',
  RekeyStarted: 'The app moves every resource on the source key to the target key.',
  RekeyChanged: 'An operator paused, resumed or rolled back the re-key. The app reconciles the account again.',
  RekeyPaused: 'An operator paused the re-key. The app moves no account until it is resumed.',
  RekeyResumed: 'The re-key resumes, and retries failed accounts.',
  RekeyStopped: 'Too many accounts failed to move, so the app paused the re-key.',
  RekeyWaits: 'A blocker stops the re-key. The app retries it automatically.',
  RekeyUnverified:
    'No visible resource uses the source key, but some reads failed. The re-key is not verified, and the app reads again.',
  RekeyDone: 'No resource in the fleet uses the source key any more, as complete new reads confirm.',
  RekeyTakingBack: 'The re-key is rolled back: the app moves its resources back to the source key.',
  RekeyTakenBack:
    'The roll back is done: every moved resource is on the source key again, or an operator moved it elsewhere.',
  RekeyEnded: 'An operator ended the re-key. Moved resources keep the target key.',

  // Drift
  DrillFailed: 'A step of the last drill on the key failed or was not proved.',
  DrillOverdue: 'No drill of break-glass has passed for longer than CMK_DRILL_INTERVAL.',
  OtherResourceStale: 'A resource of another service is pinned to an older version of the key.',
  VersionReverted: 'The account was moved back to an older version.',
  NoLongerCustomerManaged: 'The account used a managed key before, and now uses Microsoft-managed keys.',
  UnexpectedKey: 'The account uses another key than its `cmk-key` tag names.',
  UnmanagedVault: 'The account uses a key of a vault that is not in CMK_VAULTS, so the app does not move it.',
  KeyDeleted: 'The account uses a key that was deleted or does not exist. Its data cannot be read.',
  IdentityMissing: "The account's identity for the key does not exist.",
  IdentityDeleted: "The account's identity for the key was deleted, so Storage cannot access the key.",
  IdentityWithoutRole: "The account's identity lacks permission to get, wrap and unwrap with the key.",
  ScopeStaleKeyVersion: 'An encryption scope is pinned to an older version than the newest usable one.',
  QueueOnServiceKey: 'The queues of an account use a Microsoft-managed key, so a revocation does not block them.',
  TableOnServiceKey: 'The tables of an account use a Microsoft-managed key, so a revocation does not block them.',
  ScopeNotCustomerManaged:
    'An encryption scope uses a Microsoft-managed key, but its account requires a customer-managed key.',
  PinnedVersion: 'Accounts are pinned: they change versions only when the app moves them.',
  RoleExpires: 'The role assignment of an identity on a key expires soon.',
  TenantMismatch: "The key's vault belongs to another tenant than the account.",
  AuditLogOff: 'No diagnostic setting exports the audit log of the vault.',
  VaultNotLocked: 'No lock prevents the deletion of a vault whose keys are in use.',
  VaultUnreachable: 'The network settings of the vault block Storage.',
  KeyOperationsMissing: 'The key does not permit the operations that Storage needs.',
  KeyTooOld: 'The newest version is older than two years.',
  NearExpiry: 'The newest version expires soon.',
  NoExpiry: 'The newest version never expires, so no event triggers its rotation.',
  PolicyBlocksMove: 'Azure Policy would deny the move of an account to a new version of its key.',
  PolicyBlocksRotation: 'Azure Policy denies the version that the next rotation of the key would create.',
  NoRotationPolicy: 'The key has no rotation policy.',
  KeyTooSmall: 'The key has fewer bits than CMK_KEY_MINIMUM requires.',
  KeyNotInHsm: 'The key is protected by software, but CMK_KEY_MINIMUM requires an HSM.',
  UnsupportedKey: 'Storage supports only RSA keys of 2048, 3072 or 4096 bits.',
  RevokedVersionEnabled: 'A version of a revoked key is enabled.',
  RevocationRecordLost:
    'A key was revoked and not restored, and none of its versions has the record any more: another tool changed the tags.',
  RetirableVersion: 'An old version is enabled, but no visible resource uses it any more.',
  SoftDeleteOff: 'The vault has no soft delete, so a deleted key cannot be recovered.',
  EventSubscriptionMissing: 'The vault has no event subscription that delivers its events to a function of this app.',
  EventSubscriptionMisaimed: 'An event subscription has wrong settings.',
  ChangesNotWatched: 'Only the hourly drift check detects changes in the subscription.',
  ContestedChange:
    'An account was set back three times within an hour. The app does not move it until an operator releases it.',
  ChangeReleased:
    'An operator released an account, so the app repairs it again although another party kept changing it.',
  DriftFoundByEvent: 'An event reported a change, and the app checked the affected resources.',
  EventDeliveryFailing: 'Event Grid could not deliver events of the vault.',
  SelfLockout: "The app's own storage is encrypted with a key that the app manages.",
  PoisonMessages: 'The poison queues contain messages. An operator must check and replay them.',
  Unreadable: 'The app could not read a resource, so its state is unknown.',
  NotChecked: 'No recent drift check read the resource, so its health is unknown.',
  DriftChecked: 'A drift check is done. This record summarizes it.',
  DriftFixed: 'The app made the change that fixes a finding.',
  DriftFixFailed: 'The app could not fix a finding.',
  DriftReportNotWritten: 'The app could not write the report of a drift check.',
  VersionRetired:
    'The app disabled an old version: no known resource uses it, and the log or an operator excludes other clients.',
  VersionTakenBack: 'An operator enabled a retired version again. The app does not retire it any more.',
  UsageLogUnreadable: 'The users of the key are unknown: the log of its vault cannot be read, or is incomplete.',
  OldVersionInUse: "The vault's log shows a client on an old version, although every known resource uses a newer one.",
  RetirementUnproven:
    'No known resource uses an old version, but neither the log nor an operator excludes other clients.',
  RetirementUndone: 'The app disabled an old version and enabled it again, because it may be in use.',

  // Notifications
  NotificationSent: 'The receiver accepted a notification.',
  NotificationNotTaken: 'The receiver did not accept a notification. The app retries for about twelve hours.',
  NotificationDropped:
    'The app does not send a notification, because CMK_NOTIFY no longer names its target or the notification is unknown.',
  NotificationsHeld:
    'The app could not collect or queue notifications, or CMK_NOTIFY is wrong. It retries, and loses none.',

  // Azure's refusals
  PassDone: 'A pass over the work of a subscription has ended.',
  PassFailed: 'A pass over the work of a subscription failed. The app retries the remaining work.',
  WorkOverdue:
    'The sweep found work that no worker began in time, and sent it again: its message was lost, its worker died, or the queue is behind.',
  LeaseTakenOver:
    'The worker of a subscription died, and another one continues. It verifies in-flight writes in two minutes.',
  RegionClosed: 'A region of Azure does not respond. For a while, the app only sends it one call as a probe.',
  RegionOpened: 'A region of Azure responds again.',
  SubscriptionFails: 'Several workers of this subscription ended early, so the app postpones its work.',
  IdentityHasNoAccess:
    "The account's identity has no access to the key. The app retries while a role assignment may propagate.",
  PurgeProtectionOff: 'Storage rejects keys of a vault without purge protection.',
  DeniedByPolicy:
    'Azure Policy denies the change. The app retries until an administrator changes the assignment or creates an exemption.',
  ScopeLocked: 'A lock forbids the change. The app retries until an administrator removes the lock.',
  Conflict: 'Azure rejected the change, because another client changed the resource at the same time. The app retries.',
  IdentityAssignmentDenied:
    "Azure requires Microsoft.ManagedIdentity/userAssignedIdentities/assign/action to write an account that has a user-assigned identity, and the app lacks it. Deploy with CMK_ALLOW_IDENTITY_ASSIGNMENT=true (parameter allowIdentityAssignment), or assign Managed Identity Operator on that identity to the app's identity.",
  ScopesUnreadable: 'The app cannot list the encryption scopes of an account.',
  FleetIndexUnavailable:
    'The app cannot fully read or write the fleet index, and searches for users of a key without it.',
  FleetNotListed: 'The app has not listed the accounts of some subscriptions yet, so users of a key there are unknown.',
  ScopesNotListed: 'The app has not listed the encryption scopes of some accounts yet. The drift check lists them.',

  // Procedures of the command line
  NotUnique: 'Several resources have this name.',
  NameTaken: 'A resource, possibly a soft-deleted one, already has this name.',
  KeyUnsupported: 'Storage supports only RSA and RSA-HSM keys of 2048, 3072 and 4096 bits.',
  KeyMaterialUnreadable: 'The file contains no readable private key.',
  SystemAssignedAtCreation: 'An account that does not exist yet has no system-assigned identity.',
  OtherKeyInUse: 'The account uses another key. Changing the key requires a separate command.',
  AccountRevocationBegun: "The app is removing the access of an account's identity to its key.",
  AccountRevoked: "The access of an account's identity to its key was removed, and a new read confirmed it.",
  AccountRevocationIncomplete: 'The identity of an account can still use the key. Run the command again.',
  AccountRestored: "The access of the account's identity that was removed is granted again.",
  RoleRevocationBegun: 'The roles by which encryption identities reach a key are being removed. This records them.',
  RolesRevoked: 'The roles by which encryption identities reached a key were removed, and a new read confirmed it.',
  RoleRevocationIncomplete: 'The roles of a key were removed, but some access stands, or could not be read.',
  RolesRestored: 'Every role that the revocation removed is assigned again, as a new read proves.',
  RoleRestoreIncomplete: 'Some roles that the revocation removed are not assigned again. Run the command again.',
  RolesNotRevocable: 'No role assignment at the key or its vault can be removed, and other access to the key stands.',
  AccountNotManaged: 'No storage account with this name uses a customer-managed key.',
  AccountNotRevocable: 'The access to the key cannot be removed and granted again for a single account.',
  IdentityShared: 'Other resources use the same identity; nothing was changed.',
  NotForDrills: 'The key or the account is not tagged for drills, so the drill changed nothing.',
  DrillKeyInUse: 'Another resource uses the key of the drill, so the drill does not revoke it.',
  DrillPassed: 'A drill rotated, revoked and restored its key, and each step was proved.',
  FollowBegun: 'An operator is making a resource follow new versions of its key.',
  OperatorChanged: 'An operator changed the resource with the command line.',
  VersionInUse: 'The key version is in use, or not proved to be unused, so it stays enabled.',
} as const;

export type Reason = keyof typeof REASONS;

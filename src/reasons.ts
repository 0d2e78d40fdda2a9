import { REFUSALS, type Refusal } from './refusals.ts';

const SENTENCES = Object.fromEntries(
  Object.entries(REFUSALS).map(([code, { sentence }]) => [code, sentence]),
) as Readonly<Record<Refusal, string>>;

/**
 * Every reason code, with what it means. Logs, audit records, reports and HTTP answers use these and no others, so that
 * an alert rule or a script can rely on them.
 */
export const REASONS = {
  ...SENTENCES,

  // Settings and messages
  InvalidMessage: 'A queue message is not one this app writes.',
  DeferredForLong: 'Work has been deferred for more than an hour; it is still tried.',
  Poisoned: 'A message could not be processed, and was moved to the poison queue.',

  // Events
  EventAccepted: 'An event was accepted, and its key is reconciled.',
  HsmKeyChanged: 'A key of a Managed HSM has changed since it was last read.',
  HsmUnwatched: 'A Managed HSM, or a key of it, could not be read; a new version there is noticed later.',
  EventMalformed: 'An event lacks what an event of Key Vault has.',
  EventTypeUnknown: 'An event is of another type than the function handles.',
  EventVaultNotManaged: 'An event comes from, or names, a vault that is not in CMK_VAULTS.',
  EventVaultMismatch: 'An event names a key of another vault than the one it comes from.',

  // Keys
  VersionNotYetActive: 'A newer version becomes active later; the key is reconciled again then.',

  // Calls of the API, revocations and their record
  CallRefused: 'A call of the HTTP API was refused.',
  CallsRefused: 'More calls of the HTTP API were refused than have a line of their own; this one counts them.',
  CallAnswered: 'A call of the HTTP API was answered.',
  AuditWritten: 'A record was written to the audit trail; this is its receipt.',
  AuditTrailVerified: 'The audit trail was verified up to this record.',
  AuditTrailBroken: 'Records of the audit trail were changed, removed, moved or inserted since the last verification.',
  AuditFailed: 'What was done could not be written to the audit trail; this record has it.',
  Revoked: 'Every version of the key is disabled, as a fresh read proves.',
  StillOpen: 'A version of a revoked key could not be disabled.',
  KeptRevoked: 'A version that appeared while the key is revoked was disabled under the same revocation.',
  KeptRevokedUnrecorded:
    'A version of a revoked key was disabled without a record, for want of a tag: a restore leaves it off. Once the key is restored, enable it by hand, or make a new version.',
  RestoreBegun: 'A restore begins; should its process die, the app finishes it.',
  RestoreFinished: 'A restore that was broken off, or that a late write had undone in part, was finished.',
  Restored: 'Everything that the revocation disabled is enabled again.',
  NothingToRestore: 'No such revocation is open; nothing was changed.',
  DryRun: 'Nothing was changed: this is what a revocation would do.',

  // Blast radius and effect
  SharesUnreadable: 'The file shares of an account cannot be listed.',
  OtherResourcesUnreadable: 'Resource Graph cannot tell, or not in full, which other resources use the key.',
  TimeUp: 'Not read within the time there was; there may be more.',
  FileServiceRefuses: 'The file or blob service of an account refuses to serve: its key cannot be used.',
  EffectSeen: 'The file or blob service shows the effect that the change of the key was meant to have.',
  EffectNotSeen:
    'The file or blob service of some accounts does not show the effect that the change of the key was meant to have.',
  EffectNotShown: 'The file or blob service of some accounts does not show the effect yet; asked again.',
  ProbeSuperseded: 'The key was changed again since; the newer change is followed instead.',

  // Rotation on near expiry
  Rotated: 'The key was rotated.',
  RotationCompleted: 'A version that never expired was given the expiry and the tags of the one before.',
  NotNearExpiry: 'The newest version does not expire soon, whatever an event said; the key is not rotated.',
  NoDependents:
    'Nothing that the app looks after uses the key, and it has no tag `cmk-rotation: auto`: it is left to its owners.',
  DependentsUnknown:
    'It could not be found out whether anything uses the key; it is not rotated as long as that is not known.',
  RotationUnderWay: 'Another rotation of the key is under way; this one is tried again afterwards.',
  PolicyRotates: "The key's own rotation policy rotates it; left to Key Vault.",
  ManualRotation: 'The key is tagged for rotation by hand; an operator has to rotate it.',
  RotatedRecently:
    'The key was rotated within the last week and nears its expiry again; an operator has to give it a longer lifetime.',
  RotationRefused: 'Key Vault refused to rotate the key.',
  KeyExpired: 'A key version has expired.',
  RotationFinished: 'Everything that uses the key is on its newest usable version, but for what is left to Storage.',
  RotationStuck: 'Accounts are not on the newest usable version of their key, and none has moved for 15 minutes.',

  // Control of rotations
  Paused: 'Moves and rotations are paused by an operator; they go on when that ends. Break-glass is not paused.',
  Resumed: 'An operator has ended a pause, or ordered a rotation that was held to go on.',
  CanaryUnderWay:
    'The first accounts of the rotation are being moved; the others wait until those serve with the new version.',
  CanaryFailed:
    'The rotation is held: its first accounts are not on the new version, or do not serve. It goes on once they do, or when an operator says so.',
  CanaryUnseen:
    'Some first accounts of the rotation could not be probed: they do not block it, and the rotation continues.',
  StageWidened: 'The rotation admits more accounts.',
  WaveNotBegun: 'The wave of the account has not begun: an earlier one is not moved yet.',
  WaveFailed:
    'The rotation is held: too many accounts of a wave could not be moved. It goes on once they are, or when an operator says so.',

  // Accounts and encryption scopes
  UpToDate: 'Uses the newest usable version already; nothing was written.',
  Moved: 'Moved to the newest usable version, as the answer proves.',
  StaleKeyVersion: 'Pinned to an older version than the newest usable one.',
  PinNotInUse: 'Pinned to the newest usable version, but Azure still uses another; it is written again.',
  Refreshed: 'Automatic: asked to look for a new version, and took it at once.',
  LaggingAutomaticVersion: 'Automatic: still on an older version; Storage looks by itself within a day.',
  NeverBackwards:
    'Uses a version that is newer than every usable one, or made in the same second; it is not moved back.',
  UnknownVersion: 'Uses a version that the key does not have (any more).',
  NotCustomerManaged: 'Uses Microsoft-managed keys.',
  LeftByCheck: 'Is not on the newest version, and the drift check is to leave it: CMK_EXEMPTIONS or CMK_AUTOFIX.',
  AccountNotFound: 'Was deleted meanwhile.',
  UseFailed: 'An account or an encryption scope could not be moved in eight tries; it is tried once an hour.',
  ChangedByOthers: 'Uses another version or key than the index has: an operator or Storage itself has changed it.',
  Busy: 'Another worker holds it; tried again soon.',

  // Telemetry
  TelemetryFailed: 'Traces and metrics cannot be sent; all else goes on.',

  // Re-keys
  RekeyOrdered: 'A standing order moves it to another key.',
  Rekeyed: 'Moved to the newest usable version of the other key, as the answer or a later read proves.',
  RekeyStarted: 'Everything that uses the one key is to move to the other.',
  RekeyChanged: 'The re-key was paused, resumed or rolled back meanwhile; the account is reconciled again.',
  RekeyPaused: 'The re-key was paused: nothing moves until it is resumed.',
  RekeyResumed: 'The re-key goes on; what failed before is tried again.',
  RekeyStopped: 'So many accounts could not be moved that the re-key was paused by the app.',
  RekeyWaits: 'Something blocks the re-key; it is tried again by itself.',
  RekeyUnverified:
    'Nothing in sight uses the old key any more, and not everything could be read: it is not verified, and looked at again.',
  RekeyDone: 'Nothing in the fleet uses the old key any more, as fresh reads of everything show.',
  RekeyTakingBack: 'The re-key is taken back: what it has moved goes back to the old key.',
  RekeyTakenBack: 'Everything that the re-key had moved is back on the old key, or was put elsewhere by people.',
  RekeyEnded: 'The re-key was ended by a person; what had moved stays where it is.',

  // Drift
  OtherResourceStale: 'A resource of another service is held at an older version of the key.',
  VersionReverted: 'Was moved back to an older version than it had been on.',
  NoLongerCustomerManaged: 'Used a managed key, and uses Microsoft-managed keys now.',
  UnexpectedKey: 'Uses another key than the one that its `cmk-key` tag names.',
  UnmanagedVault: 'Uses a key of a vault that is not in CMK_VAULTS: the app does not move it.',
  KeyDeleted: 'Uses a key that was deleted or does not exist: its data cannot be read.',
  IdentityMissing: 'The identity that is to use the key does not exist.',
  IdentityDeleted: 'The identity that is to use the key was deleted: Storage cannot reach the key with it.',
  IdentityWithoutRole: "The account's identity may not read, wrap and unwrap with the key.",
  LegacyRevocation: 'Version 2 revoked the account or encryption scope below its key, and it was not restored.',
  ScopeStaleKeyVersion: 'An encryption scope is pinned to an older version than the newest usable one.',
  QueueOnServiceKey: 'The queues of an account are under a key of Microsoft: a revocation does not cut them off.',
  TableOnServiceKey: 'The tables of an account are under a key of Microsoft: a revocation does not cut them off.',
  ScopeNotCustomerManaged:
    'An encryption scope of an account that has to use a customer-managed key is on a key of Microsoft.',
  PinnedVersion: 'Accounts are pinned: they move when this app moves them, and not by themselves.',
  RoleExpires: 'The role of an identity on a key was given for a limited time, which is about to end.',
  TenantMismatch: 'The vault of its key trusts another tenant than that of the account.',
  AuditLogOff: 'The audit log of the vault is sent nowhere.',
  VaultNotLocked: 'Nothing keeps a vault whose keys are in use from being deleted.',
  VaultUnreachable: 'The network of the vault keeps Storage out.',
  KeyOperationsMissing: 'The key does not allow what Storage does with it.',
  KeyTooOld: 'The newest version is older than two years.',
  NearExpiry: 'The newest version expires soon.',
  NoExpiry: 'The newest version never expires, so that no event asks for a new one.',
  PolicyBlocksRotation: 'Azure Policy denies the version that the next rotation of the key would make.',
  NoRotationPolicy: 'The key has no rotation policy.',
  KeyTooSmall: 'The key has fewer bits than CMK_KEY_MINIMUM asks for.',
  KeyNotInHsm: 'The key is in software, and CMK_KEY_MINIMUM asks for hardware.',
  UnsupportedKey: 'Storage takes RSA keys of 2048, 3072 or 4096 bits alone.',
  RevokedVersionEnabled: 'A version of a revoked key is enabled.',
  RetirableVersion: 'An old version is enabled, and nothing in sight uses it any more.',
  SoftDeleteOff: 'The vault has no soft delete: a key that is deleted is gone.',
  EventSubscriptionMissing: 'Events of the vault do not reach a function of this app.',
  EventSubscriptionMisaimed: 'An event subscription is not as it has to be.',
  ChangesNotWatched: 'Changes in the subscription are noticed by the hourly drift check alone.',
  ContestedChange:
    'An account was set back three times within an hour: the app does not move it until an operator releases it.',
  ChangeReleased: 'An operator has the app repair an account again, which another party kept changing.',
  DriftFoundByEvent: 'An event reported a change, and the checks were run on what it concerns.',
  EventDeliveryFailing: 'Events of the vault could not be delivered.',
  SelfLockout: "The app's own storage is encrypted with a key that the app manages.",
  LegacyOrder: 'A re-key of version 2 was under way, and nothing carries it out any more.',
  LegacyApproval: 'A request for approval of version 2 is open, and nothing carries it out any more.',
  StorageZonesShared:
    "One storage account holds the app's work and what decides: a right to write queues there is near both.",
  PoisonMessages: 'The poison queues have messages: an operator has to check and replay them.',
  Unreadable: 'Something could not be read: what it holds is not known.',
  NotChecked: 'No drift check has read it lately, so its health is not known.',
  DriftChecked: 'A drift check is done; this record sums it up.',
  DriftFixed: 'The app fixes a finding: the change is made, or its work item is queued.',
  DriftFixFailed: 'A finding could not be fixed.',
  DriftReportNotWritten: 'The report of a drift check could not be written.',
  VersionRetired:
    'An old version was disabled: no known resource uses it, and the log or a person says that no other client does.',
  VersionTakenBack: 'A person had a retired version enabled again; the app does not retire it any more.',
  UsageLogUnreadable: 'Who used the key is not known: the log of its vault cannot be read, or is not complete.',
  OldVersionInUse: "The vault's log shows a client on an old version, though every known resource has moved on.",
  RetirementUnproven:
    'No known resource uses an old version, but neither the log nor a person rules out other clients.',
  RetirementUndone: 'An old version was disabled and enabled again: it may be in use, or not all could be read.',

  // Notifications
  NotificationSent: 'The receiver accepted a notification.',
  NotificationNotTaken: 'The receiver of a notification did not accept it; tried again, for about twelve hours.',
  NotificationDropped:
    'A notification is not sent: CMK_NOTIFY does not name its target any more, or the app has no such notification.',
  NotificationsHeld:
    'Notifications could not be collected or queued, or CMK_NOTIFY is wrong; tried again, and none is lost.',

  // Azure's refusals
  PassDone: 'A pass over the work of a subscription has ended.',
  PassFailed: 'A pass over the work of a subscription failed; what is left is tried again.',
  WorkOverdue: 'The sweep found work that a lost message or a worker that died had left; it is sent again.',
  LeaseTakenOver:
    'The worker of a subscription died; another one goes on, and what was in flight is verified in two minutes.',
  RegionClosed: 'A region of Azure does not answer: it is not called for a while, but for one call that probes it.',
  RegionOpened: 'A region of Azure answers again.',
  SubscriptionFails: 'Workers of this subscription end before their time, one after the other: its work is postponed.',
  IdentityHasNoAccess: "The account's identity may not use the key (yet); tried again while a role may propagate.",
  PurgeProtectionOff: 'Storage refuses keys of a vault without purge protection.',
  DeniedByPolicy:
    'Azure Policy denies the change; tried again, until an administrator changes the assignment or exempts it.',
  ScopeLocked: 'A lock forbids the change until an administrator removes it.',
  Conflict: 'Azure refused the change, as something else changed the resource at the same time; tried again.',
  IdentityAssignmentDenied:
    "Azure asks for Microsoft.ManagedIdentity/userAssignedIdentities/assign/action to write an account that has a user-assigned identity, and the app lacks it. Deploy with CMK_ALLOW_IDENTITY_ASSIGNMENT=true (parameter allowIdentityAssignment), or give the app's identity Managed Identity Operator on that identity.",
  ScopesUnreadable: 'The encryption scopes of an account cannot be listed.',
  FleetIndexUnavailable:
    'The fleet index cannot be read or written, in part or at all; who uses a key is searched for as if there were none.',
  FleetNotListed: 'The accounts of some subscriptions have not been listed yet; what uses a key there is not known.',
  ScopesNotListed:
    'Not known yet: the encryption scopes of some accounts have not been listed; the drift check lists them.',

  // Procedures of the command line
  NotUnique: 'Several resources have that name.',
  NameTaken: 'The name is taken, if only by something that is soft-deleted.',
  KeyUnsupported: 'Storage takes RSA and RSA-HSM keys of 2048, 3072 and 4096 bits only.',
  KeyMaterialUnreadable: 'The file holds no private key that can be read.',
  SystemAssignedAtCreation: 'An account that does not exist yet has no system-assigned identity.',
  OtherKeyInUse: 'The account uses another key; changing the key is a step of its own.',
  AccountRevocationBegun: "The access of an account's identity to its key is being removed.",
  AccountRevoked: "The access of an account's identity to its key was removed, once, as a fresh read shows.",
  AccountRevocationIncomplete: 'The identity of an account can still use the key; the command can be repeated.',
  AccountRestored: 'The access that was removed from the identity of an account was granted again.',
  AccountNotManaged: 'There is no such storage account on a customer-managed key.',
  AccountNotRevocable: 'The access to the key cannot be removed and granted again for one account.',
  IdentityShared: 'Other accounts use the same identity; nothing was changed.',
  OperatorChanged: 'An operator changed it by the command line.',
  VersionInUse: 'The key version is in use, or is not proved to be unused; it stays.',
} as const;

export type Reason = keyof typeof REASONS;

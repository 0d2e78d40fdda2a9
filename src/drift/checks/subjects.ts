import type { ChainFinding } from '../../audit/chain.ts';
import type { Part, UnreadPart } from '../../azure/read-or-why.ts';
import type { OtherDependent } from '../../dependents/dependent.ts';
import type { SourceSubscriptions } from '../../events/event-grid-client.ts';
import type { WantedSubscription } from '../../events/subscription.ts';
import type { Account, PlatformScope, Scope } from '../../fleet/account.ts';
import type { KeyUse } from '../../fleet/key-use.ts';
import type { RolloutRow } from '../../fleet/rollout-row.ts';
import type { KeyAccess } from '../../identities/key-access.ts';
import type { KeyKind } from '../../keys/key-admin-client.ts';
import type { RotationPolicy } from '../../keys/key-client.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey, ManagedVault } from '../../keys/managed-vaults.ts';
import type { Contest } from '../../orders/standing-orders.ts';
import type { Evidence } from '../../retirement/evidence.ts';
import type { DriftSettings } from '../../settings/settings.ts';
import type { KeyDenial } from '../../vaults/key-policies.ts';
import type { VaultProperties } from '../../vaults/vault-client.ts';
import type { KeyUsage } from './key-usage.ts';

/** What the checks go by beside what was read. */
export interface Rules {
  readonly now: Date;
  readonly drift: DriftSettings;
  /** Accounts that are changed each time the app has repaired them. */
  readonly contests: readonly Contest[];
  /** Undefined: CMK_FUNCTION_APP_ID is not set, and event subscriptions are not checked. */
  readonly wantedSubscriptions: readonly WantedSubscription[] | undefined;
  /** Of each watched subscription; empty: `CMK_WATCH_CHANGES` is off. */
  readonly wantedWatches: readonly WantedSubscription[];
}

/** A key of a managed vault. */
export interface KeySubject {
  readonly key: ManagedKey;
  /**
   * `deleted`: soft-deleted, can be recovered. `absent`: there is no such key. `gone`: it is not there, and whether it is
   * soft-deleted could not be read. `vaultGone`: there is no such vault.
   */
  readonly state: 'present' | 'deleted' | 'absent' | 'gone' | 'vaultGone';
  readonly versions: Part<readonly KeyVersion[]>;
  readonly policy: Part<RotationPolicy>;
  /** Of the newest version; undefined where Key Vault does not show it. */
  readonly material: Part<KeyKind | undefined>;
  /** Its users, once every account has been read. */
  readonly usage: KeyUsage;
  /** Who asked for which version, by its vault's log; absent: not asked. */
  evidence?: Evidence;
  /** How far its uses are moved, as reconcileKey has decided it; absent: not known. */
  rollout?: RolloutRow;
  /** Resources of other services that name it, as Resource Graph shows them; absent: not known. */
  others?: readonly OtherDependent[];
  /** Of its vault; undefined where the vault could not be read. */
  readonly tenantId?: string | undefined;
  /** What Azure Policy denies of new versions in its vault, as far as that could be read; absent: not asked. */
  readonly denials?: readonly KeyDenial[];
}

/** A storage account with the key that it uses. */
export interface AccountSubject {
  readonly account: Account;
  /** It is the app's own storage. */
  readonly own: boolean;
  /** Undefined: Microsoft-managed keys. */
  readonly use: KeyUse | undefined;
  /** The key in a managed vault; undefined where the vault is not managed. */
  readonly key: KeySubject | undefined;
  /** Undefined: it uses no key of a managed vault. */
  readonly access: KeyAccess | undefined;
  /** The key has not, or not any more, the version in use: it was looked for after the account had been read. */
  readonly lost?: boolean;
  readonly scopes: readonly ScopeSubject[];
  /** Its encryption scopes on keys of Microsoft, as far as its scopes were read. */
  readonly platformScopes?: readonly PlatformScope[];
  readonly contest?: Contest | undefined;
  /** What the last move met: only an administrator can take it away. */
  readonly blocked?: 'ScopeLocked' | 'DeniedByPolicy' | undefined;
  /** Of its subscription; undefined where that could not be read. */
  readonly tenantId?: string | undefined;
  /** The version of the same key that it was pinned to in an earlier check. */
  readonly before?: string | undefined;
  /** The managed key that it was on in an earlier check; undefined: it is on one, or never was. */
  readonly left?: { readonly key: KeySubject; readonly lastSeen: Date; readonly pinned?: boolean } | undefined;
}

/** An encryption scope as it was listed, or as the index has it, which does not know whether it is enabled. */
export type SeenScope = Pick<Scope, 'name' | 'keyUri' | 'currentKeyId'> & Partial<Pick<Scope, 'enabled'>>;

/** An encryption scope of an account with the key that it uses. */
export interface ScopeSubject {
  readonly scope: SeenScope;
  readonly use: KeyUse | undefined;
  readonly key: KeySubject | undefined;
  /** Of the account's identity, which a scope uses too. Undefined: the key is not managed, or is the account's own. */
  readonly access: KeyAccess | undefined;
  /** As of an account. */
  readonly lost?: boolean;
}

export interface VaultSubject {
  readonly vault: ManagedVault;
  /** Undefined inside: there is no such vault. */
  readonly properties: Part<VaultProperties | undefined>;
  /** Undefined: not checked, since a Managed HSM raises no events or the function app is not known. */
  readonly events: Part<SourceSubscriptions> | undefined;
  /** Events of this vault that could not be delivered of late. */
  readonly deadLetters: Part<readonly DeadLetter[]>;
  /** Whether its audit log is sent somewhere. Undefined: not asked. */
  readonly auditLog?: Part<boolean> | undefined;
  /** Whether a lock keeps it from being deleted. Undefined: not asked. */
  readonly locked?: Part<boolean> | undefined;
  /** Whether anything was seen to use one of its keys. */
  readonly used?: boolean;
}

/** An event that Event Grid gave up on. */
export interface DeadLetter {
  /** ARM id of what raised it. */
  readonly source: string;
  readonly type: string;
  /** Why, in Event Grid's words. */
  readonly reason: string;
  readonly lastOutcome: string;
  readonly writtenOn: Date;
}

/** A re-key that version 2 had under way. */
export interface LegacyOrder {
  readonly id: string;
  /** Key identifiers without a version. */
  readonly from: string;
  readonly to: string;
  readonly state: 'moving' | 'takingBack';
}

/** An open request for approval in the storage of version 2. */
export interface LegacyApproval {
  readonly id: string;
  readonly action: string;
  /** Absent: of all keys. */
  readonly vault?: string | undefined;
  readonly key?: string | undefined;
  readonly askedBy: { readonly objectId: string };
}

export interface AppSubject {
  /** Name of the app's function app or `cmk-autopilot`: what a finding about the app names. */
  readonly name: string;
  /** The app's own storage with the managed key that it uses, by itself or by a scope. */
  readonly lockedOutBy: readonly { readonly account: string; readonly key: string }[];
  /** Name of the storage account that holds both zones; absent: each has its own. */
  readonly sharedZones?: string | undefined;
  readonly poison: Part<readonly { readonly queue: string; readonly messages: number }[]>;
  /** What is wrong with the audit trail since the last check; absent: it was not read. */
  readonly trail?: readonly ChainFinding[];
  /** Absent: they could not be read. */
  readonly legacyOrders?: readonly LegacyOrder[] | undefined;
  readonly legacyApprovals?: readonly LegacyApproval[] | undefined;
  /** Event subscriptions of the watched subscriptions, as far as they were read. */
  readonly watches?: readonly { readonly subscription: string; readonly events: SourceSubscriptions }[];
  readonly settingsProblems: readonly string[];
  readonly unread: readonly UnreadPart[];
}

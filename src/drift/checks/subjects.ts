import type { Account, PlatformScope } from '../../accounts/account.ts';
import type { KeyUse } from '../../accounts/key-use.ts';
import type { MoveDenial } from '../../accounts/move-denials.ts';
import type { ChainFinding } from '../../audit/chain.ts';
import type { Part, UnreadPart } from '../../azure/read-or-why.ts';
import type { SourceSubscriptions } from '../../events/event-grid-client.ts';
import type { WantedSubscription } from '../../events/subscription.ts';
import type { KeyAccess } from '../../identities/key-access.ts';
import type { RolloutRow } from '../../index/rollout-row.ts';
import type { OtherDependent } from '../../key-users/dependent.ts';
import type { KeyKind, RotationPolicy } from '../../keys/key-client.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey, ManagedVault } from '../../keys/managed-vaults.ts';
import type { Contest } from '../../orders/standing-orders.ts';
import type { Evidence } from '../../retirement/evidence.ts';
import type { DriftSettings } from '../../settings/settings.ts';
import type { KeyDenial } from '../../vaults/key-policies.ts';
import type { VaultProperties } from '../../vaults/vault-client.ts';
import type { KnownDrill, KnownRevocation } from '../report/report.ts';
import type { DeadLetter } from '../store/app-state-client.ts';
import type { KeyUsage } from './key-usage.ts';

/** Rules of the checks, apart from the read state. */
export interface Rules {
  readonly now: Date;
  readonly drift: DriftSettings;
  /** Accounts that another party keeps changing after the app repairs them. */
  readonly contests: readonly Contest[];
  /** Undefined if CMK_FUNCTION_APP_ID is not set: event subscriptions are then not checked. */
  readonly wantedSubscriptions: readonly WantedSubscription[] | undefined;
  /** Event subscriptions of each watched subscription; empty if `CMK_WATCH_CHANGES` is off. */
  readonly wantedWatches: readonly WantedSubscription[];
}

/** A key of a managed vault. */
export interface KeySubject {
  readonly key: ManagedKey;
  /**
   * `deleted`: soft-deleted, can be recovered. `absent`: the key does not exist. `gone`: the key does not exist, and
   * the app could not read whether it is soft-deleted. `vaultGone`: the vault does not exist.
   */
  readonly state: 'present' | 'deleted' | 'absent' | 'gone' | 'vaultGone';
  readonly versions: Part<readonly KeyVersion[]>;
  readonly policy: Part<RotationPolicy>;
  /** Material of the newest version; undefined if Key Vault does not return it. */
  readonly material: Part<KeyKind | undefined>;
  /** Users of the key, complete after every account has been read. */
  readonly usage: KeyUsage;
  /** Use of each version according to the vault's log; absent if not read. */
  evidence?: Evidence;
  /** A revocation that no restore has ended, and of which no version of the key has a record. */
  lostRevocation?: KnownRevocation;
  /** Its last drill; absent if none is known. */
  lastDrill?: KnownDrill | undefined;
  /** Progress of its rotation, as stored by reconcileKey; absent if unknown. */
  rollout?: RolloutRow;
  /** Resources of other services that name it, from Resource Graph; absent if unknown. */
  others?: readonly OtherDependent[];
  /** Tenant of its vault; undefined if the vault could not be read. */
  readonly tenantId?: string | undefined;
  /** Azure Policy denials of new versions in its vault, as far as readable; absent if not read. */
  readonly denials?: readonly KeyDenial[];
}

/** A use of a key, by an account itself or by one of its encryption scopes. */
export interface UseSubject {
  /** ARM id of the account or the scope. */
  readonly resource: string;
  /** Undefined for Microsoft-managed keys. */
  readonly use: KeyUse | undefined;
  /** The key in a managed vault; undefined if the vault is not managed. */
  readonly key: KeySubject | undefined;
  /** Access of the account's identity. Undefined if the key is not managed, or if a scope uses the account's own key. */
  readonly access: KeyAccess | undefined;
  /** Whether the key lacks the version in use, according to a list after the account was read. */
  readonly lost?: boolean;
  /** Version for which the app already asked Storage to check, although Storage still uses another: the app asks once. */
  readonly asked?: string | undefined;
}

/** A storage account with the key that it uses. */
export interface AccountSubject extends UseSubject {
  readonly account: Account;
  /** Whether it is the app's own storage. */
  readonly own: boolean;
  readonly scopes: readonly UseSubject[];
  /** Its encryption scopes on Microsoft-managed keys, as far as its scopes were read. */
  readonly platformScopes?: readonly PlatformScope[];
  readonly contest?: Contest | undefined;
  /** What blocked the last move: only an administrator can remove it. */
  readonly blocked?: 'ScopeLocked' | 'DeniedByPolicy' | undefined;
  /** What Azure Policy would deny of its next move, as far as readable. */
  readonly moveDenials?: readonly MoveDenial[];
  /** Tenant of its subscription; undefined if it could not be read. */
  readonly tenantId?: string | undefined;
  /** The version of the same key to which it was pinned in an earlier check. */
  readonly before?: string | undefined;
  /** The managed key that it used in an earlier check; undefined if it uses one now, or never did. */
  readonly left?: { readonly key: KeySubject; readonly lastSeen: Date; readonly pinned?: boolean } | undefined;
}

export type ManagedUse = UseSubject & { readonly use: KeyUse; readonly key: KeySubject };

/** The uses of keys of managed vaults, by the account itself and by its scopes. */
export function listManagedUses(subject: AccountSubject): readonly ManagedUse[] {
  return [subject, ...subject.scopes].flatMap(({ use, key, ...rest }) => (use && key ? [{ ...rest, use, key }] : []));
}

export interface VaultSubject {
  readonly vault: ManagedVault;
  /** The inner value is undefined if the vault does not exist. */
  readonly properties: Part<VaultProperties | undefined>;
  /** Whether Key Vault serves it although Azure Resource Manager has no vault of its id; absent if it has one. */
  readonly answers?: boolean;
  /** Undefined if not checked: a Managed HSM raises no events, or the function app is unknown. */
  readonly events: Part<SourceSubscriptions> | undefined;
  /** Recent undelivered events of this vault. */
  readonly deadLetters: Part<readonly DeadLetter[]>;
  /** Whether a diagnostic setting exports its audit log. Undefined if not read. */
  readonly auditLog?: Part<boolean> | undefined;
  /** Whether a lock prevents its deletion. Undefined if not read. */
  readonly locked?: Part<boolean> | undefined;
  /** Whether a read showed a user of one of its keys. */
  readonly used?: boolean;
}

export interface AppSubject {
  /** Name of the function app, or `cmk-autopilot`. Findings about the app use it. */
  readonly name: string;
  /** The app's own storage accounts with the managed key that they or their scopes use. */
  readonly lockedOutBy: readonly { readonly account: string; readonly key: string }[];
  readonly poison: Part<readonly { readonly queue: string; readonly messages: number }[]>;
  /** Errors of the audit trail since the last check; absent if it was not read. */
  readonly trail?: readonly ChainFinding[];
  /** The last drill of each key; absent if the audit trail was never read. */
  readonly drills?: readonly KnownDrill[];
  /** Event subscriptions of the watched subscriptions, as far as readable. */
  readonly watches?: readonly { readonly subscription: string; readonly events: SourceSubscriptions }[];
  readonly settingsProblems: readonly string[];
  readonly unread: readonly UnreadPart[];
}

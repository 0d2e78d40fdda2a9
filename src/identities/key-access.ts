import type { Account } from '../accounts/account.ts';
import type { UnreadPart } from '../azure/read-or-why.ts';
import { formatFirst } from '../formats/text.ts';
import type { KeyPolicy } from '../vaults/vault-client.ts';
import { ENCRYPTION_USER, type KeyRole, STORAGE_PERMISSIONS } from './key-roles.ts';
import { isActionAllowed, isCovering, listLackingActions, type RoleGrant } from './role-grant.ts';

export type VaultAccess =
  | { readonly model: 'rbac'; readonly grants: readonly RoleGrant[] }
  | PolicyAccess
  | LocalAccess
  | { readonly model: 'unknown'; readonly why: string };

/** Principals that may be groups: neither a policy nor a local role shows the type of its principal. */
export interface MaybeGroups {
  /** Principals that are not groups, lower case. */
  readonly noGroups: ReadonlySet<string>;
  readonly groupsUnread?: UnreadPart | undefined;
}

/** Access by the policies of a vault. A policy may be that of a security group ("AccessPolicyEntry", `objectId`). */
export interface PolicyAccess extends MaybeGroups {
  readonly model: 'accessPolicies';
  readonly policies: readonly KeyPolicy[];
}

/** Access to the keys of a Managed HSM by local RBAC, which has no conditions. Azure RBAC does not apply to them. */
export interface LocalAccess extends MaybeGroups {
  readonly model: 'local';
  /** Readable role assignments at `/`, at `/keys` or at the key. */
  readonly grants: readonly RoleGrant[];
  /** Undefined: the list is complete. */
  readonly unread: UnreadPart | undefined;
}

export interface KeyAccess {
  /** ARM id. */
  readonly account: string;
  readonly ready: boolean | 'unknown';
  readonly reason: 'IdentityMissing' | 'IdentityDeleted' | 'IdentityWithoutRole' | undefined;
  readonly principalId: string | undefined;
  /** Access model of the vault, if the identity lacks access. */
  readonly by?: 'rbac' | 'accessPolicies' | 'local' | undefined;
  /** End of the access, if only time-bound roles allow it. */
  readonly until?: Date;
  /** Missing rights, or why they are unknown; one sentence each, for users. */
  readonly missing: readonly string[];
}

export type IdentityState =
  | { readonly is: 'there'; readonly principalId: string }
  | { readonly is: 'deleted' }
  | { readonly is: 'unknown'; readonly why: string };

type WithIdentity = Pick<Account, 'encryption' | 'systemPrincipalId' | 'principalIds' | 'userAssignedIdentities'>;

/** The principal with which Storage signs in to Key Vault. */
type KeyIdentity =
  | { readonly principalId: string }
  /** Reason why the account has no usable identity. */
  | { readonly missing: string; readonly reason: 'IdentityMissing' | 'IdentityDeleted' }
  /** The identity is for a key in another tenant, where this app cannot read roles. */
  | { readonly unknown: string };

/**
 * Returns the identity that an account's encryption settings name, or else the system-assigned identity.
 *
 * @param state of the account's user-assigned identity; undefined if it was not read, or does not exist
 */
export function findKeyIdentity(account: WithIdentity, state?: IdentityState): KeyIdentity {
  const { encryptionUserAssignedIdentity: chosen, encryptionFederatedIdentityClientId: federated } =
    account.encryption.encryptionIdentity ?? {};
  const missing = (why: string): KeyIdentity => ({ missing: why, reason: 'IdentityMissing' });

  if (!chosen) {
    if (account.systemPrincipalId) return { principalId: account.systemPrincipalId };
    return missing('The account has no system-assigned identity, and its encryption settings name no other.');
  }

  if (!findUserAssignedIdentity(account)) {
    return missing(`The identity ${chosen} of the encryption settings is not attached to the account.`);
  }

  const principalId = account.principalIds[chosen.toLowerCase()];
  const deleted = deletion(chosen, principalId, state);
  if (deleted) return { missing: deleted, reason: 'IdentityDeleted' };
  if (federated) return { unknown: 'The key is in another tenant: check its access there.' };
  if (principalId) return { principalId };

  return missing(`The account shows no principal of its identity ${chosen}: attach the identity again.`);
}

/** Explains why the attached identity no longer exists; undefined if it does. */
function deletion(id: string, attached: string | undefined, state: IdentityState | undefined): string | undefined {
  if (state?.is === 'deleted') return `The identity ${id} was deleted: Storage cannot sign in to Key Vault with it.`;
  if (state?.is !== 'there' || !attached || attached.toLowerCase() === state.principalId.toLowerCase()) {
    return undefined;
  }
  return `The identity ${id} was deleted and created again under the same name: the account still has the deleted principal ${attached}, not ${state.principalId}.`;
}

/**
 * ARM id of the user-assigned identity with which an account uses its key; undefined if none is attached. The identity
 * may no longer exist: Azure keeps the ids of deleted identities on resources (Entra ID, "manage user-assigned managed
 * identities").
 */
export function findUserAssignedIdentity(account: WithIdentity): string | undefined {
  const chosen = account.encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  const attached = account.userAssignedIdentities.some((id) => id.toLowerCase() === chosen?.toLowerCase());
  return attached ? chosen : undefined;
}

/**
 * Checks whether the account's identity may read, wrap and unwrap with the key. `unknown` if the data read does not
 * decide it.
 *
 * @param key ARM id of the vault and the key's name; a role may be assigned at the key alone
 * @param state of the account's user-assigned identity; undefined if it was not read, or does not exist
 */
export function checkIdentityAccess(
  account: WithIdentity & Pick<Account, 'id'>,
  key: { readonly vaultId: string; readonly name: string },
  access: VaultAccess,
  state?: IdentityState,
): KeyAccess {
  const identity = findKeyIdentity(account, state);
  const about = { account: account.id };
  const unknown = (why: string, principalId?: string): KeyAccess => {
    return { ...about, ready: 'unknown', reason: undefined, principalId, missing: [why] };
  };
  if ('unknown' in identity) return unknown(identity.unknown);

  if ('missing' in identity) {
    const { reason, missing } = identity;
    return { ...about, ready: false, reason, principalId: undefined, missing: [missing] };
  }

  const { principalId } = identity;
  const { lacking, undetermined } = listMissingRights(principalId, key, access);
  if (lacking.length === 0) {
    if (state?.is === 'unknown') return unknown(state.why, principalId);
    return { ...about, ready: true, reason: undefined, principalId, missing: [] };
  }

  if (undetermined !== undefined) return unknown(undetermined, principalId);

  const by = access.model === 'unknown' ? undefined : access.model;

  return { ...about, ready: false, reason: 'IdentityWithoutRole', principalId, by, missing: lacking };
}

/**
 * When an identity loses its access to a key because time-bound roles end; undefined: never.
 *
 * @param ends by the ARM id of the assignment, lower case
 */
export function findAccessEnd(
  principalId: string,
  key: { readonly vaultId: string; readonly name: string },
  grants: readonly RoleGrant[],
  ends: ReadonlyMap<string, Date>,
): Date | undefined {
  const endOf = ({ id = '' }: RoleGrant): number => ends.get(id.toLowerCase())?.getTime() ?? Number.POSITIVE_INFINITY;
  const times = grants.map(endOf).filter(Number.isFinite);
  const lost = times
    .sort((a, b) => a - b)
    .find((time) => {
      const left = grants.filter((grant) => endOf(grant) > time);
      return listMissingRights(principalId, key, { model: 'rbac', grants: left }).lacking.length > 0;
    });

  return lost === undefined ? undefined : new Date(lost);
}

export interface MissingRights {
  /** One sentence each. */
  readonly lacking: readonly string[];
  /** Why the principal may have access despite the missing rights. */
  readonly undetermined?: string | undefined;
}

/**
 * Lists the rights of a role that a principal lacks on a key of a vault, or on all keys.
 *
 * @param key without a name: all keys of the vault
 */
export function listMissingRights(
  principalId: string,
  { vaultId, name }: { readonly vaultId: string; readonly name: string | undefined },
  access: VaultAccess,
  role: KeyRole = ENCRYPTION_USER,
): MissingRights {
  if (access.model === 'unknown') return { lacking: [access.why], undetermined: access.why };
  if (access.model === 'accessPolicies') return missingPermissions(principalId, access);

  const isLocal = access.model === 'local';
  const vault = isLocal ? '' : vaultId;
  const scope = name === undefined ? vault || '/keys' : `${vault}/keys/${name}`;
  const lacking = listLackingActions((isLocal ? role.local : role).dataActions, principalId, scope, access.grants);
  if (lacking.length === 0) return { lacking: [] };

  const which = isLocal ? 'No local role' : 'No role';

  return {
    lacking: lacking.map((action) => `${which} at ${scope} or above allows ${principalId} ${action}.`),
    undetermined:
      isLocal && name !== undefined
        ? whyUnknown(lacking, name, access)
        : whyUnevaluated(lacking, principalId, scope, access.grants),
  };
}

/** A role with a condition may allow the missing actions: checks again as if its condition were met. */
function whyUnevaluated(
  lacking: readonly string[],
  principalId: string,
  scope: string,
  grants: readonly RoleGrant[],
): string | undefined {
  const unconditional = grants.map((grant) => ({ ...grant, conditional: false }));
  const mayAllow = listLackingActions(lacking, principalId, scope, unconditional).length === 0;
  return mayAllow ? UNEVALUATED : undefined;
}

const UNEVALUATED = 'A role assignment with a condition may or may not allow it: the condition is not evaluated.';

/**
 * Why a principal without a sufficient direct role may have access through a group of a Managed HSM; undefined: it has
 * no access. Data read can prove access, but an incomplete list cannot disprove it.
 *
 * @param lacking data actions that no direct role allows
 */
function whyUnknown(lacking: readonly string[], keyName: string, access: LocalAccess): string | undefined {
  if (access.unread) return `Not every local role can be read: ${access.unread.detail}`;

  const perhaps = access.grants.filter(
    (grant) => isCovering(grant.scope, `/keys/${keyName}`) && !access.noGroups.has(grant.principalId.toLowerCase()),
  );

  // A principal may get each missing action from another role or group.
  if (!lacking.every((action) => perhaps.some((grant) => isActionAllowed(grant, action)))) return undefined;

  const others = perhaps.filter((grant) => lacking.some((action) => isActionAllowed(grant, action)));

  return maybeThroughGroup(
    'local role',
    others.map(({ principalId }) => principalId),
    access,
  );
}

/** Lists the key permissions that Storage needs and the principal's access policies lack. */
function missingPermissions(principalId: string, access: PolicyAccess): MissingRights {
  const { policies, noGroups } = access;
  const isOwn = ({ objectId }: KeyPolicy): boolean => objectId.toLowerCase() === principalId.toLowerCase();
  const own = policies.filter(isOwn);
  const missing = STORAGE_PERMISSIONS.filter((permission) => !own.some((policy) => isPermitted(policy, permission)));
  const lacking = missing.map((one) => `No access policy gives ${principalId} the key permission ${one}.`);

  const perhaps = policies.filter((policy) => !isOwn(policy) && !noGroups.has(policy.objectId.toLowerCase()));

  // A principal may get each missing permission from another policy or group.
  const mayHaveAll = missing.every((permission) => perhaps.some((policy) => isPermitted(policy, permission)));
  if (missing.length === 0 || !mayHaveAll) return { lacking };

  const others = perhaps.filter((policy) => missing.some((permission) => isPermitted(policy, permission)));

  return {
    lacking,
    undetermined: maybeThroughGroup(
      'access policy',
      others.map(({ objectId }) => objectId),
      access,
    ),
  };
}

export function isPermitted({ keyPermissions }: KeyPolicy, permission: string): boolean {
  return keyPermissions.some((one) => ['all', permission.toLowerCase()].includes(one.toLowerCase()));
}

/** @param others principals that have what the principal itself lacks */
function maybeThroughGroup(what: string, others: readonly string[], { groupsUnread }: MaybeGroups): string {
  const who = formatFirst([...new Set(others.map((id) => id.toLowerCase()))], 3);
  const unread = groupsUnread ? ` Their types cannot be read: ${groupsUnread.detail}` : '';
  return `The principal has no sufficient ${what}. Other principals do (${who}); one of them may be a group that contains it, which Azure does not show.${unread}`;
}

/** Whether a role allows any key operation of Storage, with or without a condition. */
export function canUseKeys(role: Pick<RoleGrant, 'dataActions' | 'notDataActions'>): boolean {
  return ENCRYPTION_USER.dataActions.some((action) => isActionAllowed(role, action));
}

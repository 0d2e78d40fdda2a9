import type { Account } from '../accounts/account.ts';
import { globMatches } from '../glob.ts';

/** What Storage does with a key as the account's identity, as Azure RBAC and as access policies call it. */
const NEEDED = [
  { dataAction: 'Microsoft.KeyVault/vaults/keys/read', permission: 'get' },
  { dataAction: 'Microsoft.KeyVault/vaults/keys/wrap/action', permission: 'wrapKey' },
  { dataAction: 'Microsoft.KeyVault/vaults/keys/unwrap/action', permission: 'unwrapKey' },
] as const;

/** The built-in role that has exactly these (Azure built-in roles, security). */
export const STORAGE_KEY_ROLE = 'Key Vault Crypto Service Encryption User';

/** A role assignment together with what its role allows. */
export interface RoleGrant {
  readonly principalId: string;
  /** ARM id that it is made at; it holds for everything below. */
  readonly scope: string;
  readonly dataActions: readonly string[];
  readonly notDataActions: readonly string[];
  /** It holds under a condition, which is not evaluated here. */
  readonly conditional: boolean;
}

/** Who may use the keys of a vault. */
export type VaultAccess =
  | { readonly model: 'rbac'; readonly grants: readonly RoleGrant[] }
  | { readonly model: 'accessPolicies'; readonly policies: readonly KeyPolicy[] }
  /** It cannot be told: it could not be read, or is a Managed HSM's own access control. */
  | { readonly model: 'unknown'; readonly why: string };

/** The key permissions of one entry of a vault's access policies. */
export interface KeyPolicy {
  readonly objectId: string;
  readonly keyPermissions: readonly string[];
}

/** Whether an account's identity may use a key. */
export interface KeyAccess {
  /** ARM id. */
  readonly account: string;
  readonly ready: boolean | 'unknown';
  readonly reason: 'IdentityMissing' | 'IdentityWithoutRole' | undefined;
  readonly principalId: string | undefined;
  /** What is missing, or why it cannot be told; one sentence each, to be shown to people. */
  readonly missing: readonly string[];
}

/** The principal that Storage signs in to Key Vault as. */
export type KeyIdentity =
  | { readonly principalId: string }
  | { readonly missing: string }
  /** Of another tenant, whose roles this app does not see. */
  | { readonly unknown: string };

/** The identity that an account's encryption settings name. Without one it is the system-assigned identity. */
export function keyIdentity(
  account: Pick<Account, 'encryption' | 'systemPrincipalId' | 'principalIds' | 'userAssignedIdentities'>,
): KeyIdentity {
  const { encryptionUserAssignedIdentity: chosen, encryptionFederatedIdentityClientId: federated } =
    account.encryption.encryptionIdentity ?? {};
  if (federated) return { unknown: 'The key is in another tenant: its access has to be checked there.' };
  if (!chosen) {
    return account.systemPrincipalId
      ? { principalId: account.systemPrincipalId }
      : { missing: 'The account has no system-assigned identity, and its encryption settings name no other.' };
  }
  const id = chosen.toLowerCase();
  if (!account.userAssignedIdentities.some((attached) => attached.toLowerCase() === id)) {
    return { missing: `The identity ${chosen} of the encryption settings is not attached to the account.` };
  }
  const principalId = account.principalIds[id];
  return principalId ? { principalId } : { missing: `The identity ${chosen} does not exist any more.` };
}

/**
 * Whether the account's identity may do with the key what Storage does with it: read, wrap and unwrap. What cannot be
 * told is `unknown`, never guessed.
 *
 * @param key ARM id of the vault and the key's name; a role may be assigned at the key alone
 */
export function keyAccess(
  account: Pick<Account, 'id' | 'encryption' | 'systemPrincipalId' | 'principalIds' | 'userAssignedIdentities'>,
  key: { readonly vaultId: string; readonly name: string },
  access: VaultAccess,
): KeyAccess {
  const identity = keyIdentity(account);
  const about = { account: account.id };
  if ('unknown' in identity) {
    return { ...about, ready: 'unknown', reason: undefined, principalId: undefined, missing: [identity.unknown] };
  }
  if ('missing' in identity) {
    return {
      ...about,
      ready: false,
      reason: 'IdentityMissing',
      principalId: undefined,
      missing: [identity.missing],
    };
  }
  const { principalId } = identity;
  if (access.model === 'unknown') {
    return { ...about, ready: 'unknown', reason: undefined, principalId, missing: [access.why] };
  }
  const missing = missingRights(principalId, key, access);
  if (missing.lacking.length === 0) return { ...about, ready: true, reason: undefined, principalId, missing: [] };
  if (missing.conditional) {
    const why = 'A role assignment with a condition may or may not allow it: the condition is not evaluated.';
    return { ...about, ready: 'unknown', reason: undefined, principalId, missing: [why] };
  }
  return { ...about, ready: false, reason: 'IdentityWithoutRole', principalId, missing: missing.lacking };
}

function missingRights(
  principalId: string,
  key: { readonly vaultId: string; readonly name: string },
  access: Exclude<VaultAccess, { model: 'unknown' }>,
): { readonly lacking: string[]; readonly conditional: boolean } {
  const same = (id: string): boolean => id.toLowerCase() === principalId.toLowerCase();
  if (access.model === 'accessPolicies') {
    const allowed = access.policies
      .filter(({ objectId }) => same(objectId))
      .flatMap(({ keyPermissions }) => keyPermissions.map((permission) => permission.toLowerCase()));
    const lacking = NEEDED.filter(
      ({ permission }) => !allowed.includes(permission.toLowerCase()) && !allowed.includes('all'),
    );
    return {
      lacking: lacking.map(
        ({ permission }) => `No access policy gives ${principalId} the key permission ${permission}.`,
      ),
      conditional: false,
    };
  }
  const scope = `${key.vaultId}/keys/${key.name}`;
  const grants = access.grants.filter((grant) => same(grant.principalId) && covers(grant.scope, scope));
  const lacking = NEEDED.filter(
    ({ dataAction }) => !grants.some((grant) => !grant.conditional && allows(grant, dataAction)),
  );
  return {
    lacking: lacking.map(({ dataAction }) => `No role at ${scope} or above allows ${principalId} ${dataAction}.`),
    conditional:
      lacking.length > 0 &&
      lacking.every(({ dataAction }) => grants.some((grant) => grant.conditional && allows(grant, dataAction))),
  };
}

/** Role assignments are inherited: one at a subscription, a group or the vault holds for the key too. */
export function covers(assignedAt: string, scope: string): boolean {
  const parent = assignedAt.toLowerCase().replace(/\/+$/, '');
  const child = scope.toLowerCase();
  return parent === '' || child === parent || child.startsWith(`${parent}/`);
}

/** One role at a time: what a role excludes, another one may still allow (Azure RBAC, "NotDataActions"). */
export function allows(role: Pick<RoleGrant, 'dataActions' | 'notDataActions'>, dataAction: string): boolean {
  const among = (patterns: readonly string[]): boolean => patterns.some((pattern) => globMatches(pattern, dataAction));
  return among(role.dataActions) && !among(role.notDataActions);
}

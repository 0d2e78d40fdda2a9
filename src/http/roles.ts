/**
 * App roles of this API, as declared in its app registration.
 *
 * - `CmkKey.Read`: read keys, their dependents and open revocations, drift reports and the audit trail
 * - `CmkKey.Revoke`: revoke a key (a dry run too)
 * - `CmkKey.Restore`: restore a revoked key
 * - `Cmk.Operate`: pause and resume, order re-keys, start a drift check and what it fixes; implies `CmkKey.Read`
 *
 * Nothing else is implied: a caller who may revoke may not restore unless both roles are assigned.
 */
export const ROLES = ['CmkKey.Read', 'CmkKey.Revoke', 'CmkKey.Restore', 'Cmk.Operate'] as const;

export type Role = (typeof ROLES)[number];

const IMPLIED_BY: Readonly<Partial<Record<Role, readonly Role[]>>> = { 'CmkKey.Read': ['Cmk.Operate'] };

/** Every role that is enough where `role` is asked for, the role itself first. */
export function sufficientRoles(role: Role): readonly Role[] {
  return [role, ...(IMPLIED_BY[role] ?? [])];
}

/** Whether the caller may do what takes `role`. */
export function hasRole(caller: { readonly roles: readonly Role[] }, role: Role): boolean {
  return sufficientRoles(role).some((enough) => caller.roles.includes(enough));
}

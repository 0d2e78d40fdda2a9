/**
 * App roles of this API, as declared in its app registration.
 *
 * - `CmkKey.Read`: read keys, their dependents and open revocations, drift reports and the audit trail
 * - `CmkKey.Revoke`: revoke a key, including dry runs
 * - `CmkKey.Restore`: restore a revoked key
 * - `Cmk.Operate`: pause and resume, order re-keys, start drift checks with their repairs; implies `CmkKey.Read`
 *
 * No other role is implied: a caller who may revoke needs the restore role, too, to restore.
 */
export const ROLES = ['CmkKey.Read', 'CmkKey.Revoke', 'CmkKey.Restore', 'Cmk.Operate'] as const;

export type Role = (typeof ROLES)[number];

const IMPLIED_BY: Readonly<Partial<Record<Role, readonly Role[]>>> = { 'CmkKey.Read': ['Cmk.Operate'] };

/** Roles that satisfy a required role, beginning with the role itself. */
export function listSufficientRoles(role: Role): readonly Role[] {
  return [role, ...(IMPLIED_BY[role] ?? [])];
}

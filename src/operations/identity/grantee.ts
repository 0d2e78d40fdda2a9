/** Who is given a role. */
export interface Grantee {
  readonly principalId: string;
  readonly principalType: 'User' | 'ServicePrincipal';
  /** To be shown to people. */
  readonly name: string;
  /** Whether several accounts may have it as their identity, and one of these may be revoked by itself. */
  readonly mayBeShared?: boolean;
}

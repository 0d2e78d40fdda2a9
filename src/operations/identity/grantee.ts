/** Who is given a role. */
export interface Grantee {
  readonly principalId: string;
  readonly principalType: 'User' | 'ServicePrincipal';
  /** To be shown to people. */
  readonly name: string;
}

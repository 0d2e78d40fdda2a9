/** A rotation policy: Key Vault takes one Rotate and one Notify action ("Configure key auto-rotation"). */
export interface RotationPolicy {
  readonly rotates: boolean;
  /** So long after a version was made: an ISO 8601 duration. */
  readonly afterCreate?: string;
  /** So long before a version expires: an ISO 8601 duration. */
  readonly beforeExpiry?: string;
  /** So long before a version expires Key Vault raises its near-expiry event: an ISO 8601 duration. */
  readonly notifyBeforeExpiry?: string;
  /** Lifetime of versions that a rotation makes: an ISO 8601 duration; absent: they never expire. */
  readonly expiresIn?: string;
}

/** Whether a rotation policy rotates the key by itself, and when. */
export interface RotationPolicySummary {
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

/** What a rotation policy does; ISO 8601 durations. */
export interface RotationPolicy {
  /** Lifetime of versions that a rotation makes. */
  readonly expiresIn: string | undefined;
  readonly actions: readonly {
    readonly action: 'Rotate' | 'Notify';
    readonly timeAfterCreate?: string;
    readonly timeBeforeExpiry?: string;
  }[];
}

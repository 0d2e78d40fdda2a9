import { compareAge, type KeyVersion, newestUsableVersion, type Usability, usability } from '../keys/key-versions.ts';
import { readRevocation } from './revocation.ts';

/** How a key stands, in plain JSON: the API and the command line add to it who uses the key. */
export interface KeyState {
  readonly newestUsable: string | undefined;
  readonly revocation: RevocationState | undefined;
  /** Newest first. */
  readonly versions: readonly VersionState[];
}

export interface RevocationState {
  readonly id: string;
  readonly revokedOn: string;
  readonly revokedBy: string;
  /** Object id of who restores the key at the moment, or began to. */
  readonly restoringBy?: string;
}

interface VersionState {
  readonly version: string;
  readonly createdOn: string;
  readonly notBefore?: string;
  readonly expiresOn?: string;
  readonly state: Usability;
  /** Disabled by the open revocation: one that was off before is not. */
  readonly revoked: boolean;
}

export function keyState(versions: readonly KeyVersion[], now: Date): KeyState {
  const { open, restoringBy, records } = readRevocation(versions, now);
  return {
    newestUsable: newestUsableVersion(versions, now)?.version,
    revocation: open && { ...revocationState(open), ...(restoringBy ? { restoringBy } : {}) },
    versions: [...versions]
      .sort((a, b) => compareAge(b, a))
      .map((version) => ({
        version: version.version,
        createdOn: version.createdOn.toISOString(),
        ...(version.notBefore ? { notBefore: version.notBefore.toISOString() } : {}),
        ...(version.expiresOn ? { expiresOn: version.expiresOn.toISOString() } : {}),
        state: usability(version, now),
        revoked: open !== undefined && records.get(version.version)?.wasEnabled === true,
      })),
  };
}

export function revocationState(revocation: {
  readonly id: string;
  readonly revokedOn: Date;
  readonly revokedBy: string;
}): RevocationState {
  const { id, revokedOn, revokedBy } = revocation;
  return { id, revokedOn: revokedOn.toISOString(), revokedBy };
}

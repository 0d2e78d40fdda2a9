import type { KeyVersion } from './key-versions.ts';

/**
 * The record of a revocation is this tag on each version that it disabled: restore needs no other store. Key Vault
 * allows 15 tags a version, of 256 characters each (Key Vault, "About keys").
 */
export const REVOCATION_TAG = 'cmk-revocation';

export interface Revocation {
  readonly id: string;
  readonly revokedOn: Date;
  /** Object id of the caller who revoked. */
  readonly revokedBy: string;
  /** The version that was disabled: a tag that a rotation copied onto another version does not count for that one. */
  readonly version: string;
}

/** The open revocation of a key, if any version still carries one; the earliest, should there be several. */
export function openRevocation(versions: readonly KeyVersion[]): Revocation | undefined {
  return versions
    .flatMap((version) => revocationOf(version) ?? [])
    .sort((a, b) => a.revokedOn.getTime() - b.revokedOn.getTime())[0];
}

/** The revocation that disabled this version, as its tag says. */
export function revocationOf(version: KeyVersion): Revocation | undefined {
  const tag = version.tags[REVOCATION_TAG];
  const revocation = tag === undefined ? undefined : parseRevocation(tag);
  return revocation?.version === version.version ? revocation : undefined;
}

export function formatRevocation(revocation: Revocation): string {
  return [revocation.id, revocation.revokedOn.toISOString(), revocation.revokedBy, revocation.version].join(' ');
}

export function parseRevocation(tag: string): Revocation | undefined {
  const [id, time, revokedBy, version, ...rest] = tag.split(' ');
  if (!id || !time || !revokedBy || !version || rest.length > 0) return undefined;
  const revokedOn = new Date(time);
  if (Number.isNaN(revokedOn.getTime())) return undefined;
  return { id, revokedOn, revokedBy, version };
}

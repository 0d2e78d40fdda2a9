import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { formatRevocation, RESTORED_TAG, REVOCATION_TAG, type Revocation } from '../../src/revocation/revocation.ts';
import type { VersionChange } from '../../src/revocation/revocation-plans.ts';
import { day, keyVersion, versionName } from '../support/keys.ts';

export const ALICE = 'a11ce000-0000-4000-8000-000000000001';
export const BOB = 'b0b00000-0000-4000-8000-000000000002';
export const CAROL = 'ca401000-0000-4000-8000-000000000003';
/** When the key was revoked. */
export const NOON = new Date(day(20).getTime() + 12 * 3_600_000);
/** Days after everything that these tests have happen. */
export const NOW = day(60);

export const stamp = { id: 'f00d', revokedOn: NOON, revokedBy: ALICE };
/** What tells a newer revocation from it. */
export const later = { id: 'beef', revokedOn: day(25) };

/** The record of version `n`. */
export function record(n: number, change: Partial<Revocation> = {}): Record<string, string> {
  return { [REVOCATION_TAG]: formatRevocation({ ...stamp, version: versionName(n), wasEnabled: true, ...change }) };
}

/** What a restore by Bob left on version `n`. */
export function restored(
  n: number,
  change: {
    readonly id?: string;
    readonly revokedOn?: Date;
    readonly time?: string;
    readonly restoredBy?: string;
    readonly version?: string;
  } = {},
): Record<string, string> {
  const { id = 'f00d', revokedOn = NOON, restoredBy = BOB, version = versionName(n) } = change;
  return { [RESTORED_TAG]: [id, change.time ?? revokedOn.toISOString(), restoredBy, version].join(' ') };
}

export function revoked(n: number, change: Partial<KeyVersion> = {}): KeyVersion {
  return keyVersion(n, { enabled: false, updatedOn: NOON, tags: record(n), ...change });
}

/** All the tags that Key Vault allows. */
export function fullOfTags(more: Record<string, string> = {}): Record<string, string> {
  return { ...Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`tag-${n}`, 'x'])), ...more };
}

/** Numbers of the versions that a plan changes, in its order. */
export function changed(plan: readonly VersionChange[]): number[] {
  return plan.map(({ version }) => Number.parseInt(version.version, 16));
}

import { getActiveFrom, getUsability, type KeyVersion } from '../keys/key-versions.ts';
import { readRevocation } from '../revocation/revocation.ts';
import { newestFirst } from '../revocation/revocation-plans.ts';
import type { KeyUsersView, VersionView } from './key-schemas.ts';

/** Versions with the data for a timeline, newest first. */
export function listVersionViews(
  versions: readonly KeyVersion[],
  users: KeyUsersView | undefined,
  now: Date,
): VersionView[] {
  const { records, open } = readRevocation(versions, now);

  return newestFirst(versions).map((version) => {
    const record = records.get(version.version);
    const disabledBy = open && record?.wasEnabled ? record : undefined;
    const used = users?.versions.find((one) => one.version?.toLowerCase() === version.version);

    return {
      version: version.version,
      createdOn: version.createdOn.toISOString(),
      notBefore: version.notBefore?.toISOString(),
      expiresOn: version.expiresOn?.toISOString(),
      state: getUsability(version, now),
      revoked: disabledBy !== undefined,
      activeFrom: getActiveFrom(version).toISOString(),
      enabled: version.enabled,
      updatedOn: version.updatedOn?.toISOString(),
      revokedOn: disabledBy?.revokedOn.toISOString(),
      revokedBy: disabledBy?.revokedBy,
      ...(users ? { users: { accounts: used?.accounts ?? 0, scopes: used?.scopes ?? 0 } } : {}),
    };
  });
}

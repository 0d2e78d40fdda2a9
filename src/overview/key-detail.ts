import { known } from '../azure/read-or-why.ts';
import { activeFrom, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { readRevocation } from '../revocation/revocation.ts';
import { isUsed, readPolicy, type SummaryPorts } from './key-summary.ts';
import type { KeyDetail, KeyUsersView, VersionDetail } from './key-view.ts';
import { nextRotation } from './next-rotation.ts';
import { readUsers } from './read-users.ts';
import { readInTime, unlistedView, unreadView } from './unread.ts';

/**
 * What the page shows of a key beside how it stands: who still uses which version, when it is rotated next, and what that
 * would cost in time. Never throws: what could not be read until the signal aborts is named.
 */
export async function readDetail(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  ports: SummaryPorts,
  signal: AbortSignal,
): Promise<KeyDetail> {
  const [policy, users] = await Promise.all([
    readPolicy(key, ports, signal),
    readInTime(
      { resource: key.id, what: 'who uses the key', action: '' },
      () => readUsers(key, versions, ports, signal),
      signal,
    ),
  ]);
  const read = known(users);
  const summary = known(policy);
  const next = summary && nextRotation(versions, summary, isUsed(read), ports.now());
  return {
    ...(next ? { nextRotation: next } : {}),
    ...(read?.users ? { users: read.users } : {}),
    ...(read?.rotation ? { rotation: read.rotation } : {}),
    ...(read?.cost ? { rotationCost: read.cost } : {}),
    unread: [
      ...[policy, users].flatMap((part) => ('unread' in part ? unreadView(part.unread) : [])),
      ...unlistedView(read),
    ],
  };
}

/** What a timeline shows of each version beside its state, by version. */
export function versionDetails(
  versions: readonly KeyVersion[],
  users: KeyUsersView | undefined,
  now: Date,
): ReadonlyMap<string, VersionDetail> {
  const { records, open } = readRevocation(versions, now);
  return new Map(
    versions.map((version) => {
      const record = records.get(version.version);
      const used = users?.versions.find((one) => one.version?.toLowerCase() === version.version);
      const counts = { accounts: used?.accounts ?? 0, scopes: used?.scopes ?? 0 };
      const detail: VersionDetail = {
        activeFrom: activeFrom(version).toISOString(),
        enabled: version.enabled,
        ...(version.updatedOn ? { updatedOn: version.updatedOn.toISOString() } : {}),
        ...(open && record?.wasEnabled
          ? { revokedOn: record.revokedOn.toISOString(), revokedBy: record.revokedBy }
          : {}),
        ...(users ? { users: counts } : {}),
      };
      return [version.version, detail];
    }),
  );
}

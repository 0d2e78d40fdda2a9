import { known, type Part } from '../azure/read-or-why.ts';
import { Remembered } from '../azure/remembered.ts';
import type { Keys } from '../keys/key-client.ts';
import { readKeysRight, readPolicyRight } from '../keys/key-rights.ts';
import { activeFrom, type KeyVersion, newestUsableVersion, newestVersion, usability } from '../keys/key-versions.ts';
import { asSpelled, type ManagedKey, type ManagedVaults } from '../keys/managed-vaults.ts';
import type { RotationPolicySummary } from '../keys/rotation-policy-summary.ts';
import { type PauseOrder, pausedView } from '../orders/standing-orders.ts';
import { keyState } from '../revocation/key-state.ts';
import type { KeySummary } from './key-view.ts';
import { nextRotation } from './next-rotation.ts';
import { readUsers, type UsersPorts, type UsersRead } from './read-users.ts';
import { readInTime, unlistedView, unreadView } from './unread.ts';

/** A rotation policy is changed by hand, and rarely. Milliseconds. */
const POLICY_BELIEVED_MS = 5 * 60_000;

export type SummaryPorts = UsersPorts & {
  readonly settings: UsersPorts['settings'] & { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: Pick<Keys, 'listVersions' | 'rotationPolicy'>;
};

/** Of this instance. */
const policies = new Remembered<RotationPolicySummary>(POLICY_BELIEVED_MS);

/** How a key stands, in short. Never throws: what could not be read until the signal aborts is named. */
export async function readSummary(key: ManagedKey, ports: SummaryPorts, signal: AbortSignal): Promise<KeySummary> {
  const { keys, now } = ports;
  const [versions, policy] = await Promise.all([
    readInTime(
      { resource: key.id, what: 'the versions of the key', action: readKeysRight(key.vault) },
      () => keys.listVersions(key),
      signal,
    ),
    readPolicy(key, ports, signal),
  ]);
  const users = await readInTime(
    { resource: key.id, what: 'who uses the key', action: '' },
    () => readUsers(key, known(versions) ?? [], ports, signal),
    signal,
  );
  const pause = ports.control.pauseNow(key.id);
  return summaryOf(asSpelled(key, known(versions) ?? []), { versions, policy, users, pause }, now());
}

/** The policy of a key, believed for some minutes. */
export function readPolicy(
  key: ManagedKey,
  { keys, now }: Pick<SummaryPorts, 'keys' | 'now'>,
  signal: AbortSignal,
): Promise<Part<RotationPolicySummary>> {
  const action = readPolicyRight(key.vault);
  return readInTime(
    { resource: key.id, what: 'the rotation policy of the key', action },
    async () => (await policies.read(key.id.toLowerCase(), now, () => keys.rotationPolicy(key))).value,
    signal,
  );
}

interface SummaryParts {
  readonly versions: Part<readonly KeyVersion[]>;
  readonly policy: Part<RotationPolicySummary>;
  readonly users: Part<UsersRead>;
  readonly pause: PauseOrder | undefined;
}

/** Words what was read of a key. */
function summaryOf(key: ManagedKey, parts: SummaryParts, now: Date): KeySummary {
  const versions = known(parts.versions);
  const policy = known(parts.policy);
  const read = known(parts.users);
  const unread = [
    ...[parts.versions, parts.policy, parts.users].flatMap((part) => ('unread' in part ? unreadView(part.unread) : [])),
    ...unlistedView(read),
  ];
  const next = versions && policy && nextRotation(versions, policy, isUsed(read), now);
  return {
    key: key.id,
    vault: key.vault.name,
    name: key.name,
    ...(versions ? standingOf(versions, now) : { state: 'unknown' }),
    ...(parts.pause ? { paused: pausedView(parts.pause) } : {}),
    ...(next ? { nextRotation: next } : {}),
    ...(read?.users ? { users: read.users } : {}),
    ...(read?.rotation ? { rotation: read.rotation } : {}),
    unread: versions?.length === 0 ? unread.filter(({ what }) => !what.includes('policy')) : unread,
  };
}

/** Whether anything uses the key; what the index does not know is taken for a use, as the app then looks for itself. */
export function isUsed(read: UsersRead | undefined): boolean {
  return read?.users === undefined || read.users.accounts + read.users.scopes > 0;
}

type Standing = Pick<KeySummary, 'state' | 'newest' | 'newestUsable' | 'versions' | 'expiresOn' | 'revocation'>;

function standingOf(versions: readonly KeyVersion[], now: Date): Standing {
  const newest = newestVersion(versions);
  if (!newest) return { state: 'missing', versions: 0 };
  const { revocation } = keyState(versions, now);
  const usable = newestUsableVersion(versions, now);
  const { expiresOn } = usable ?? newest;
  return {
    state: revocation ? 'revoked' : STATE_OF[usability(usable ?? newest, now)],
    newest: {
      version: newest.version,
      createdOn: newest.createdOn.toISOString(),
      activeFrom: activeFrom(newest).toISOString(),
      ...(newest.expiresOn ? { expiresOn: newest.expiresOn.toISOString() } : {}),
      state: usability(newest, now),
    },
    ...(usable ? { newestUsable: usable.version } : {}),
    versions: versions.length,
    ...(expiresOn ? { expiresOn: expiresOn.toISOString() } : {}),
    ...(revocation ? { revocation } : {}),
  };
}

const STATE_OF = {
  Usable: 'usable',
  Disabled: 'disabled',
  NotYetActive: 'notYetActive',
  Expired: 'expired',
} as const;

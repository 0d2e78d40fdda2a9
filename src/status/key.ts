import { abortAfter, untilAborted } from '../azure/deadline.ts';
import { ReadCache } from '../azure/read-cache.ts';
import { getKnown, listUnread, type Part, readPart, type UnreadPart, type What } from '../azure/read-or-why.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { shiftTime } from '../formats/duration.ts';
import { DAY_MS } from '../formats/spans.ts';
import { type BlastRadiusServices, readBlastRadius } from '../key-users/blast-radius.ts';
import type { BlastRadius, KeyDependents, UnreadView } from '../key-users/dependent.ts';
import { includesOwnStorage, KnownAccounts } from '../key-users/known-dependents.ts';
import { excludeAccounts, type OtherDependents } from '../key-users/other-dependents.ts';
import type { Keys, RotationPolicy } from '../keys/key-client.ts';
import { readKeysRight, readPolicyRight } from '../keys/key-rights.ts';
import {
  findNewestUsableVersion,
  findNewestVersion,
  getActiveFrom,
  getUsability,
  type KeyVersion,
} from '../keys/key-versions.ts';
import { type ManagedKey, withSpelling } from '../keys/managed-vaults.ts';
import { getNearExpiry, MAX_AGE_DAYS } from '../keys/near-expiry.ts';
import type { KeyUsageLog, LoggedUse, UsageLog } from '../keys/usage-log-client.ts';
import { findPause } from '../orders/standing-orders.ts';
import type { ShownEffect } from '../probe/effect-of-key.ts';
import { readUsageEvidence } from '../retirement/evidence.ts';
import { openRevocation, readRevocation } from '../revocation/revocation.ts';
import { newestFirst } from '../revocation/revocation-plans.ts';
import { getRevocationState } from '../revocation/version-report.ts';
import { computeRotationDue, findManualRotation, isRotatedByTag } from '../rotation/rotation.ts';
import type { SearchSettings } from '../settings/settings.ts';
import type { KeyStatus, KeySummary, KeyUsageView, KeyUsersView, NextRotation, VersionView } from './key-schemas.ts';
import { type KeyUsers, type KeyUsersPorts, readKeyUsers, WHO } from './key-users.ts';

/** Time to live of a rotation policy, which operators rarely change, in milliseconds. */
const POLICY_BELIEVED_MS = 5 * 60_000;

export type KeyViewPorts = KeyUsersPorts & { readonly keys: Pick<Keys, 'listVersions' | 'rotationPolicy'> };

/** Fields that the list of keys and the status of a key share. */
type KeyView = Pick<
  KeyStatus,
  'paused' | 'nextRotation' | 'cryptoPeriodEndsOn' | 'users' | 'rotation' | 'rotationCost' | 'unread'
>;

const policies = new ReadCache<RotationPolicy>(POLICY_BELIEVED_MS);

/** Returns a line of the list of keys. Never throws: the line names reads that failed or were aborted. */
export async function readKeySummary(key: ManagedKey, ports: KeyViewPorts, signal: AbortSignal): Promise<KeySummary> {
  const { keys, now } = ports;
  const policy = readPolicy(key, ports, signal);

  const listed = await readInTime(
    { resource: key.id, what: 'the versions of the key', action: readKeysRight(key.vault) },
    () => keys.listVersions(key),
    signal,
  );

  const versions = getKnown(listed);
  const { view } = await readKeyView(key, versions, policy, ports, signal);
  const { rotationCost: _, unread, ...shown } = view;
  const all = [...listUnreadViews(listed), ...unread];
  const { name } = withSpelling(key, versions ?? []);

  return {
    key: key.id,
    vault: key.vault.name,
    name,
    ...(versions ? getStateOf(versions, now()) : { state: 'unknown' }),
    ...shown,
    unread: versions?.length === 0 ? all.filter(({ what }) => !what.includes('policy')) : all,
  };
}

/** Who uses a key, and what the app has stored about it. */
interface KeyFacts {
  readonly view: KeyView;
  readonly dependents: KeyDependents;
  /** Whether one of the dependents is known to be the app's own storage. */
  readonly selfLockout: boolean;
}

/** Last users of each version according to the log; empty without a log. */
export interface ShownUsage {
  readonly usage?: KeyUsageView;
}

interface KeyStatusPorts {
  readonly now: () => Date;
  readonly facts: () => Promise<KeyFacts>;
  readonly usage: () => Promise<ShownUsage>;
  /** Effect of the key on file services, as far as it is known. */
  readonly effect: () => Promise<ShownEffect>;
}

/**
 * Returns the status of a key: its versions, open revocation, dependents and users per version. The status names every
 * read that failed or exceeded its time limit.
 */
export async function readKeyStatus(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  ports: KeyStatusPorts,
): Promise<KeyStatus> {
  const [{ view, dependents, selfLockout }, usage, { effect, refusedAfter, warnings }] = await Promise.all([
    ports.facts(),
    ports.usage(),
    ports.effect(),
  ]);

  const now = ports.now();

  return {
    key: key.id,
    versions: listVersionViews(versions, view.users, now),
    newestUsable: findNewestUsableVersion(versions, now)?.version,
    revocation: shownRevocation(versions, now),
    dependents,
    effect,
    refusedAfter,
    ...view,
    ...usage,
    warnings: [...listLockoutWarnings({ selfLockout }), ...warnings],
  };
}

type IndexedFactsPorts = KeyViewPorts & {
  readonly settings: SearchSettings;
  readonly others: () => Promise<OtherDependents>;
};

/**
 * Reads who uses a key from the fleet index. The page reads the status of a key every few seconds, and Azure Storage
 * admits too few lists of accounts, shares and scopes for that.
 *
 * @param ms time limit in milliseconds
 */
export async function readIndexedFacts(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  ms: number,
  ports: IndexedFactsPorts,
): Promise<KeyFacts> {
  const uses = new KnownAccounts();
  const read = (signal: AbortSignal) => readKeyView(key, versions, readPolicy(key, ports, signal), ports, signal, uses);
  const [{ view, asOf, usersUnread }, others] = await Promise.all([abortAfter(read, ms), ports.others()]);

  const accounts = uses.all();
  const otherResources = excludeAccounts(others.otherResources, accounts);
  const unread = [...usersUnread, ...others.unread];

  return {
    view,
    dependents: {
      complete: unread.length === 0,
      asOf,
      accounts,
      otherResources,
      unread,
      outOfSight: others.outOfSight,
    },
    selfLockout: includesOwnStorage({ accounts, otherResources }, ports.settings),
  };
}

/** Reads who uses a key from Azure itself, without the app's storage. @param ms time limit in milliseconds */
export async function readLiveFacts(key: ManagedKey, services: BlastRadiusServices, ms: number): Promise<KeyFacts> {
  const radius = await abortAfter((signal) => readBlastRadius(key, services, signal), ms);
  return { view: NOTHING_KEPT, dependents: radius, selfLockout: radius.selfLockout === true };
}

const NOTHING_KEPT: KeyView = {
  unread: [
    {
      what: 'the stored data about the key',
      reason: 'FleetIndexUnavailable',
      detail: "No setting names the app's storage (AzureWebJobsStorage__accountName, CMK_VAULTS) or its API (CMK_API).",
    },
  ],
};

interface ReadKeyView {
  readonly view: KeyView;
  /** See {@link KeyUsers}. */
  readonly asOf: string | undefined;
  /** Why the app does not know all users. */
  readonly usersUnread: UnreadView[];
}

/** @param accounts receives each use */
async function readKeyView(
  key: ManagedKey,
  versions: readonly KeyVersion[] | undefined,
  reading: Promise<Part<RotationPolicy>>,
  ports: KeyViewPorts,
  signal: AbortSignal,
  accounts?: KnownAccounts,
): Promise<ReadKeyView> {
  const what = { resource: key.id, what: WHO, action: '' };
  const [policy, counted, orders] = await Promise.all([
    reading,
    readInTime(what, () => readKeyUsers(key, versions ?? [], ports, signal, accounts), signal),
    ports.orderStore.recent(),
  ]);

  const now = ports.now();
  const read = getKnown(counted);
  const rules = getKnown(policy);
  const usersUnread = [...listUnreadViews(counted), ...(read?.unread ?? [])];
  const view = {
    paused: findPause(orders, key.id, now),
    nextRotation: versions && rules && predictNextRotation(versions, rules, isUsed(read), now),
    cryptoPeriodEndsOn: versions && computeCryptoPeriodEnd(versions, rules, now)?.toISOString(),
    users: read?.users,
    rotation: read?.rotation,
    rotationCost: read?.cost,
    unread: [...listUnreadViews(policy), ...usersUnread],
  };

  return { view, asOf: read?.asOf, usersUnread };
}

function readPolicy(
  key: ManagedKey,
  { keys }: Pick<KeyViewPorts, 'keys'>,
  signal: AbortSignal,
): Promise<Part<RotationPolicy>> {
  const what = { resource: key.id, what: 'the rotation policy of the key', action: readPolicyRight(key.vault) };

  return readInTime(
    what,
    async () => (await policies.read(key.id.toLowerCase(), () => keys.rotationPolicy(key))).value,
    signal,
  );
}

/** Whether any resource uses the key; unknown counts as used. */
function isUsed(read: KeyUsers | undefined): boolean {
  return read?.users === undefined || read.users.accounts + read.users.scopes > 0;
}

export function getStateOf(
  versions: readonly KeyVersion[],
  now: Date,
): Pick<KeySummary, 'state' | 'newest' | 'newestUsable' | 'versions' | 'expiresOn' | 'revocation'> {
  const newest = findNewestVersion(versions);
  if (!newest) return { state: 'missing', versions: 0 };

  const revocation = shownRevocation(versions, now);
  const usable = findNewestUsableVersion(versions, now);

  return {
    state: revocation ? 'revoked' : STATE_OF[getUsability(usable ?? newest, now)],
    newest: {
      version: newest.version,
      createdOn: newest.createdOn.toISOString(),
      activeFrom: getActiveFrom(newest).toISOString(),
      expiresOn: newest.expiresOn?.toISOString(),
      state: getUsability(newest, now),
    },
    newestUsable: usable?.version,
    versions: versions.length,
    expiresOn: (usable ?? newest).expiresOn?.toISOString(),
    revocation,
  };
}

function shownRevocation(versions: readonly KeyVersion[], now: Date): KeyStatus['revocation'] {
  const { open, restoringBy } = readRevocation(versions, now);
  return open && { ...getRevocationState(open), restoringBy };
}

const STATE_OF = {
  Usable: 'usable',
  Disabled: 'disabled',
  NotYetActive: 'notYetActive',
  Expired: 'expired',
} as const;

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

export function listLockoutWarnings({ selfLockout }: Pick<BlastRadius, 'selfLockout'>): string[] {
  if (selfLockout === false) return [];
  if (selfLockout === 'unknown') {
    return [
      "The app could not read whether its own storage is encrypted with this key. If it is, the app's queues and audit trail stop while the key is revoked. Then restore the key with `cmk key restore`.",
    ];
  }
  return [
    "The app's own storage is encrypted with this key: while it is revoked, queues and audit trail of the app stop. Restore with `cmk key restore`, and move the app's storage to Microsoft-managed keys.",
  ];
}

/** Status without varying fields: the time of the probe, and the first caller. */
export function getStatusContent(status: KeyStatus): unknown {
  const effect = status.effect.map(({ checkedOn, since, ...shown }) =>
    since === checkedOn ? shown : { ...shown, since },
  );
  effect.sort((a, b) => (a.account < b.account ? -1 : 1));
  return { ...status, effect };
}

/** Reads a part until the signal aborts. Never throws. */
export async function readInTime<T>(what: What, read: () => Promise<T>, signal: AbortSignal): Promise<Part<T>> {
  let part: Part<T> = { unread: { ...what, kind: 'timeUp', detail: REASONS.TimeUp } };
  if (signal.aborted) return part;
  const reading = readPart(what, read).then((read) => {
    part = read;
  });
  await untilAborted(reading, signal);
  return part;
}

/** Returns the failed reads among some parts, for an answer. */
export function listUnreadViews(...parts: readonly Part<unknown>[]): UnreadView[] {
  return listUnread(parts).map(({ what, kind, detail }) => ({ what, reason: reasonOf(kind), detail }));
}

function reasonOf(kind: UnreadPart['kind']): Reason {
  if (kind === 'timeUp') return 'TimeUp';
  if (kind === 'forbidden') return 'MissingPermission';
  return kind === 'throttled' ? 'Throttled' : 'ServiceUnavailable';
}

/** Latest time for a successor of the newest version. @param policy undefined: the read failed */
export function computeCryptoPeriodEnd(
  versions: readonly KeyVersion[],
  policy: Pick<RotationPolicy, 'expiresIn'> | undefined,
  now: Date,
): Date | undefined {
  const newest = findNewestUsableVersion(versions, now) ?? findNewestVersion(versions);
  if (!newest) return undefined;
  const byAge = newest.createdOn.getTime() + MAX_AGE_DAYS * DAY_MS;
  const byPolicy = policy?.expiresIn && shiftTime(newest.createdOn, policy.expiresIn, 1);
  return new Date(byPolicy ? Math.min(byAge, byPolicy.getTime()) : byAge);
}

/**
 * Predicts when a key gets its next version: by its rotation policy, or by the app as `decideRotation` will decide.
 *
 * @param isUsed whether any use of the key is known
 */
export function predictNextRotation(
  versions: readonly KeyVersion[],
  policy: RotationPolicy,
  isUsed: boolean,
  now: Date,
): NextRotation | undefined {
  const newest = findNewestVersion(versions);
  if (!newest) return undefined;

  if (policy.rotates) {
    return { by: 'policy', on: computeRotationDue(newest, policy)?.toISOString() };
  }

  const on = getNearExpiry(newest, policy)?.toISOString();

  if (openRevocation(versions, now)) return { by: 'none', reason: 'RevocationOpen' };

  const byHand = newest.enabled ? findManualRotation(newest) : 'KeyDisabled';
  if (byHand) return { by: 'person', reason: byHand, on };
  if (!on) return { by: 'none', reason: 'NoExpiry' };
  if (!isUsed && !isRotatedByTag(newest)) return { by: 'none', reason: 'NoDependents', on };

  return { by: 'app', on };
}

/** Returns a key's usage from the log; undefined: no log is configured. Never throws. */
export async function readKeyUsage(
  key: ManagedKey,
  workspace: string | undefined,
  services: { readonly usageLog: KeyUsageLog },
  ms: number,
): Promise<ShownUsage> {
  if (workspace === undefined) return {};
  const evidence = await readUsageEvidence(key, services, ms);
  if ('missing' in evidence) return { usage: { versions: [], unread: evidence.missing } };
  return { usage: toView(evidence.log) };
}

function toView({ uses, trackedSince, trackedUntil, silences }: UsageLog): KeyUsageView {
  const names = [...new Set(uses.map(({ version }) => version))];
  const gaps = silences
    .map(({ from, to }) => ({ from: from.toISOString(), to: to.toISOString() }))
    .sort((a, b) => (a.from < b.from ? 1 : -1));

  return {
    trackedSince: trackedSince?.toISOString(),
    trackedUntil: trackedUntil?.toISOString(),
    gaps: gaps.length > 0 ? gaps : undefined,
    versions: names.map((version) => {
      const last = (operation: LoggedUse['operation']) => {
        const of = uses.filter((use) => use.version === version && use.operation === operation);
        const use = of.sort((a, b) => b.lastOn.getTime() - a.lastOn.getTime())[0];
        return use && { on: use.lastOn.toISOString(), objectId: use.objectId, appId: use.appId };
      };
      return { version, wrapped: last('wrap'), unwrapped: last('unwrap'), other: last('other') };
    }),
  };
}

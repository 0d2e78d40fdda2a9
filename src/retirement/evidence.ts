import { abortAfter } from '../azure/deadline.ts';
import { describeError } from '../azure/failure.ts';
import { HOUR_MS } from '../formats/spans.ts';
import type { VersionUsersServices } from '../key-users/version-users.ts';
import type { Keys } from '../keys/key-client.ts';
import {
  compareAge,
  findNewestUsableVersion,
  getActiveFrom,
  getUsableSince,
  type KeyVersion,
} from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { KeyUsageLog, LoggedUse, UsageLog } from '../keys/usage-log-client.ts';
import { LEAST_RETIRE_HOURS } from './retirement.ts';

export type RetireServices = VersionUsersServices & {
  readonly keys: Keys;
  readonly usageLog: KeyUsageLog;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

/** The use of a key according to Key Vault's audit log, or the reason why the log is unavailable. */
export type Evidence = { readonly log: UsageLog } | { readonly missing: string };

/** The log's content, or the reason why it is unavailable. Never throws. */
export async function readUsageEvidence(
  key: ManagedKey,
  { usageLog }: Pick<RetireServices, 'usageLog'>,
  ms: number,
): Promise<Evidence> {
  try {
    return { log: await abortAfter((signal) => usageLog.read(key, signal), ms) };
  } catch (error) {
    return { missing: describeError(error) };
  }
}

/** Time without use that proves a version unused. Storage accesses a key in use every hour. Hours. */
const QUIET_HOURS = 24;
/**
 * Maximum delay of the log. Azure Monitor usually delivers resource logs within minutes, but guarantees no time ("log
 * data ingestion time"). Hours.
 */
const BEHIND_HOURS = 2;

/**
 * Reasons why the log does not prove that a version is unused; empty if the log proves it. The log must begin at the
 * takeover: one day after the successor became active. It must have no gap and a recent end. It must show no request
 * for the version after its next version took over, and no client whose last request named the version. When a version
 * was enabled is unknown, so the log must reach back to its earliest takeover, and the quiet time begins with its latest.
 *
 * @param used whether visible storage accounts use the key. The log must then show requests for the key: a workspace
 * transformation may drop them, and any version would seem unused
 */
export function listReasonsOfLog(
  version: KeyVersion,
  versions: readonly KeyVersion[],
  evidence: Evidence,
  now: Date,
  { used = false }: { readonly used?: boolean } = {},
): string[] {
  if ('missing' in evidence) return [`The log proves nothing: ${evidence.missing}`];

  const successor = findNewestUsableVersion(versions, now);
  const tookOver = findTakeover(versions, now);
  if (!successor || !tookOver || compareAge(version, successor) >= 0) return ['No newer version is usable.'];

  const { log } = evidence;
  const uses = listUsesSince(version, log, nextTookOver(version, versions));

  return [
    ...reasonsOfQuiet(tookOver, now),
    ...reasonsOfReach(log, aDayAfter(getActiveFrom(successor)), now),
    ...(used && log.trackedSince ? reasonsOfBlindness(log, tookOver) : []),
    ...(uses.length > 0 ? uses.map(describeLoggedUse) : clientsLeftOn(version, log)),
  ];
}

/** A client that is switched off sends no requests, but needs the version that it used last once it is on again. */
function clientsLeftOn({ version }: KeyVersion, { lastOfClients }: UsageLog): string[] {
  const left = lastOfClients.filter((use) => use.version === version);
  return left.map((use) => `${describeLoggedUse(use)} It has used no other version since, and may be switched off.`);
}

/** Returns the earliest time at which a newer version can have taken over: later uses of the older one count. */
function nextTookOver(version: KeyVersion, versions: readonly KeyVersion[]): Date {
  const younger = versions.filter((other) => compareAge(other, version) > 0);
  return new Date(Math.min(...younger.map((one) => aDayAfter(getActiveFrom(one)).getTime())));
}

function reasonsOfBlindness({ uses }: UsageLog, tookOver: Date): string[] {
  if (uses.some(({ lastOn }) => lastOn > tookOver)) return [];
  const from = tookOver.toISOString();
  return [`The log shows no request for the key since ${from}, although it is used: the log is incomplete.`];
}

/** Returns the latest time at which the newest usable version took over. By then, automatic users use it. */
export function findTakeover(versions: readonly KeyVersion[], now: Date): Date | undefined {
  const successor = findNewestUsableVersion(versions, now);
  return successor && aDayAfter(getUsableSince(successor));
}

function aDayAfter(time: Date): Date {
  return new Date(time.getTime() + LEAST_RETIRE_HOURS * HOUR_MS);
}

function reasonsOfQuiet(tookOver: Date, now: Date): string[] {
  if (now.getTime() - tookOver.getTime() >= QUIET_HOURS * HOUR_MS) return [];
  return [`Its successor took over on ${tookOver.toISOString()}. It must be unused for ${QUIET_HOURS} hours.`];
}

/** Requests for a version after the given time. A request without a version may have used it. */
export function listUsesSince({ version }: KeyVersion, { uses }: UsageLog, since: Date): LoggedUse[] {
  return uses.filter((use) => (use.version === undefined || use.version === version) && use.lastOn > since);
}

/** Describes a request: `A client used it to unwrap on …, by …`. */
export function describeLoggedUse({ version, operation, lastOn, objectId, appId }: LoggedUse): string {
  const what = operation === 'other' ? 'encrypt, decrypt or sign' : operation;
  const who = objectId ?? appId ?? 'a client that the log does not name';
  const which = version === undefined ? 'A client used the key without a version' : 'A client used it';
  return `${which} to ${what} on ${lastOn.toISOString()}, by ${who}.`;
}

function reasonsOfReach({ trackedSince, trackedUntil, silences }: UsageLog, tookOver: Date, now: Date): string[] {
  if (!trackedSince || !trackedUntil) return ['The vault has no entries in the log.'];

  const reasons: string[] = [];
  const from = tookOver.toISOString();

  if (trackedSince > tookOver) {
    reasons.push(`The log begins on ${trackedSince.toISOString()}, after its successor took over on ${from}.`);
  }

  if (now.getTime() - trackedUntil.getTime() > BEHIND_HOURS * HOUR_MS) {
    reasons.push(`The log is behind: it ends on ${trackedUntil.toISOString()}.`);
  }

  const silent = silences.find(({ to }) => to > tookOver);
  if (silent) {
    const between = `from ${silent.from.toISOString()} to ${silent.to.toISOString()}`;
    reasons.push(`The vault has no entries in the log ${between}: the log may have been off.`);
  }

  return reasons;
}

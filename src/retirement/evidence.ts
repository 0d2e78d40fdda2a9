import { activeFrom, compareAge, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { LoggedUse, UsageLog } from '../keys/usage-log-client.ts';
import { HOUR_MS } from '../time/spans.ts';
import { LEAST_RETIRE_HOURS } from './retirement.ts';

/** What Key Vault's own log says of a key, or why that is not known. */
export type Evidence = { readonly log: UsageLog } | { readonly missing: string };

/** Nothing of it is logged for so long before it proves anything: Storage looks at a key that it uses every hour. Hours. */
const QUIET_HOURS = 24;
/**
 * How far the log may be behind. Azure Monitor brings resource logs within minutes as a rule, and promises nothing ("log data
 * ingestion time"). Hours.
 */
const BEHIND_HOURS = 2;

/**
 * Why the log does not prove that a version is out of use, one sentence each; none: it does. It has to reach back to when its
 * successor had taken over, a day after that became active, with no gap in it and none at its end, and show no
 * request for the version since the next one after it took over.
 *
 * @param used whether storage accounts in sight use the key: then the log has to show requests for it. One that shows none
 *   leaves them out (a transformation of the workspace may), and would prove any version unused
 */
export function reasonsOfLog(
  version: KeyVersion,
  versions: readonly KeyVersion[],
  evidence: Evidence,
  now: Date,
  { used = false }: { readonly used?: boolean } = {},
): string[] {
  if ('missing' in evidence) return [`The log proves nothing: ${evidence.missing}`];
  const successor = newestUsableVersion(versions, now);
  const tookOver = takenOver(versions, now);
  if (!successor || !tookOver || compareAge(version, successor) >= 0) return ['No newer version is usable.'];
  const { log } = evidence;
  return [
    ...reasonsOfReach(log, tookOver, now),
    ...(used && log.trackedSince ? reasonsOfBlindness(log, tookOver) : []),
    ...usesSince(version, log, nextTookOver(version, versions, tookOver)).map(sentenceOf),
  ];
}

/**
 * When the next younger version had taken over. One that is off by now may never have been in force: counting from it asks
 * more of the log, never less.
 */
function nextTookOver(version: KeyVersion, versions: readonly KeyVersion[], lastTookOver: Date): Date {
  const younger = versions.filter((other) => compareAge(other, version) > 0);
  return new Date(Math.min(lastTookOver.getTime(), ...younger.map((one) => tookOverOn(one).getTime())));
}

function reasonsOfBlindness({ uses }: UsageLog, tookOver: Date): string[] {
  if (uses.some(({ lastOn }) => lastOn > tookOver)) return [];
  const from = tookOver.toISOString();
  return [`The log shows no request for the key since ${from}, although it is used: it leaves some out.`];
}

/** When the newest usable version had taken over: users that follow new versions by themselves use it by then. */
export function takenOver(versions: readonly KeyVersion[], now: Date): Date | undefined {
  const successor = newestUsableVersion(versions, now);
  return successor && tookOverOn(successor);
}

function tookOverOn(version: KeyVersion): Date {
  return new Date(activeFrom(version).getTime() + LEAST_RETIRE_HOURS * HOUR_MS);
}

/** Who has asked for a version since: those who named it, and those who named none. */
export function usesSince({ version }: KeyVersion, { uses }: UsageLog, since: Date): LoggedUse[] {
  return uses.filter((use) => (use.version === undefined || use.version === version) && use.lastOn > since);
}

/** `It was asked to unwrap on …, by …`, as a sentence. */
export function sentenceOf({ version, operation, lastOn, objectId, appId }: LoggedUse): string {
  const what = operation === 'other' ? 'encrypt, decrypt or sign' : operation;
  const who = objectId ?? appId ?? 'a client that the log does not name';
  const which = version === undefined ? 'A request without a version asked the key' : 'It was asked';
  return `${which} to ${what} on ${lastOn.toISOString()}, by ${who}.`;
}

function reasonsOfReach({ trackedSince, trackedUntil, silences }: UsageLog, tookOver: Date, now: Date): string[] {
  if (!trackedSince || !trackedUntil) return ['The vault has no entries in the log.'];
  const reasons: string[] = [];
  const from = tookOver.toISOString();
  if (now.getTime() - tookOver.getTime() < QUIET_HOURS * HOUR_MS) {
    reasons.push(`Its successor took over on ${from}, and ${QUIET_HOURS} hours have to go by without a use.`);
  }
  if (trackedSince > tookOver) {
    reasons.push(`The log begins on ${trackedSince.toISOString()}, and its successor took over on ${from}.`);
  }
  if (now.getTime() - trackedUntil.getTime() > BEHIND_HOURS * HOUR_MS) {
    reasons.push(`The log is behind: it ends on ${trackedUntil.toISOString()}.`);
  }
  const silent = silences.find(({ to }) => to > tookOver);
  if (silent) {
    const between = `from ${silent.from.toISOString()} to ${silent.to.toISOString()}`;
    reasons.push(`The vault has no entries in the log ${between}: it may have been off.`);
  }
  return reasons;
}

import { accountNameOf } from '../azure/resource-id.ts';
import type { VersionUsers } from '../dependents/version-users.ts';
import { activeFrom, compareAge, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';
import { MAX_TAGS, openRevocation } from '../revocation/revocation.ts';
import { count, nameFirst } from '../text.ts';
import { HOUR_MS } from '../time/spans.ts';

/**
 * Tag on a version that was retired: when, the version that has taken its place, and until it was looked at again `unsettled`
 * and the last revocation that was restored by then.
 */
const RETIRED_TAG = 'cmk-retired';
/** Stored in tags, so that the word stays. */
const UNCONFIRMED = 'unsettled';
/** Tag on a version that a person took back: when, and who. The app does not retire it any more. */
const KEPT_TAG = 'cmk-kept';
/** Storage looks for a new version once a day: before that, an account may still be on its way. Hours. */
export const LEAST_RETIRE_HOURS = 24;

/** What no read of the users of a key can show. */
export const NOT_KNOWN =
  'Not known is what uses it out of sight: in subscriptions and tenants that cannot be seen, through types that do not tell their version, in backups, and in deleted accounts that can be recovered.';

/** How many users, or gaps, a reason names. */
const NAMED = 3;

/**
 * Why a version has to stay, one sentence each; none: it may go. It may go when the newest usable version is younger and
 * has been that for a day, no revocation is open, everything is known, and everybody who uses the key shows another
 * version.
 */
export function reasonsToKeep(
  version: KeyVersion,
  versions: readonly KeyVersion[],
  users: VersionUsers,
  now: Date,
): string[] {
  return [...reasonsOfKey(version, versions, now), ...reasonsOfUse(version, users)];
}

/** The part of {@link reasonsToKeep} that the key alone decides: without one, it is worth to look at who uses it. */
export function reasonsOfKey(version: KeyVersion, versions: readonly KeyVersion[], now: Date): string[] {
  if (openRevocation(versions, now)) return ['A revocation of the key is open: everything stays as it is.'];
  const successor = newestUsableVersion(versions, now);
  if (!successor || compareAge(version, successor) >= 0) return ['No newer version is usable.'];
  // Its clock may be ahead of ours.
  const age = Math.max(0, (now.getTime() - activeFrom(successor).getTime()) / HOUR_MS);
  if (age >= LEAST_RETIRE_HOURS) return [];
  const whole = Math.floor(age);
  return [`Its successor ${successor.version} is ${count(whole, 'hour')} old, and has to be ${LEAST_RETIRE_HOURS}.`];
}

/** The part of {@link reasonsToKeep} that those who use the key decide. */
export function reasonsOfUse({ version }: KeyVersion, { uses, gaps }: VersionUsers): string[] {
  const using = uses.filter(({ versions }) => versions.includes(version)).map(({ who }) => accountNameOf(who));
  return [
    ...(using.length > 0 ? [`It is used by ${nameFirst(using, NAMED)}.`] : []),
    ...(gaps.length > 0 ? [`Not everything is known: ${nameFirst(gaps, NAMED, '; ')}`] : []),
  ];
}

/** Enabled versions whose retirement the key itself allows; uses are checked separately. */
export function retirable(versions: readonly KeyVersion[], now: Date): KeyVersion[] {
  return versions.filter((version) => version.enabled && reasonsOfKey(version, versions, now).length === 0);
}

/** What stands on a version that was retired. */
interface RetiredRecord {
  readonly on: Date;
  /** Whether what uses the key was read once more after it was disabled. */
  readonly isConfirmed: boolean;
  /** While it is not confirmed: the last revocation that was restored before. */
  readonly restored?: string | undefined;
}

/** Undefined: it was not retired, or is enabled again. */
export function retiredRecord({ enabled, tags }: KeyVersion): RetiredRecord | undefined {
  return enabled ? undefined : recordIn(tags);
}

function recordIn(tags: KeyVersion['tags']): RetiredRecord | undefined {
  const [time = '', , state, restored] = (tags[RETIRED_TAG] ?? '').split(' ');
  const on = new Date(time);
  return Number.isNaN(on.getTime()) ? undefined : { on, isConfirmed: state !== UNCONFIRMED, restored };
}

/**
 * The tags of a version that is being retired; undefined when it has none to spare.
 *
 * @param restored the last revocation of the key that was restored
 */
export function retiredTags(
  { tags }: KeyVersion,
  successor: KeyVersion,
  now: Date,
  restored?: string,
): Record<string, string> | undefined {
  const others = withoutRetiredTag(tags);
  if (Object.keys(others).length >= MAX_TAGS) return undefined;
  const words = [now.toISOString(), successor.version, UNCONFIRMED, ...(restored === undefined ? [] : [restored])];
  return { ...others, [RETIRED_TAG]: words.join(' ') };
}

/** The tags of one that has been looked at again, and stays disabled. */
export function settledTags(tags: KeyVersion['tags']): Record<string, string> {
  const record = tags[RETIRED_TAG];
  return record === undefined ? tags : { ...tags, [RETIRED_TAG]: record.split(' ').slice(0, 2).join(' ') };
}

export function withoutRetiredTag({ [RETIRED_TAG]: _, ...others }: KeyVersion['tags']): Record<string, string> {
  return others;
}

/** The tags of one that a person takes back. */
export function keptTags({ tags }: KeyVersion, who: string, now: Date): Record<string, string> {
  return { ...withoutRetiredTag(tags), [KEPT_TAG]: `${now.toISOString()} ${who}` };
}

/**
 * Why the app leaves a version to people; none: it does not. Whatever of the app enables one again takes its tag away in the
 * same write: an enabled version with the tag was enabled by another tool.
 */
export function reasonsOfPerson({ enabled, tags }: KeyVersion): string[] {
  const kept = tags[KEPT_TAG];
  if (kept !== undefined) return [`It was taken back (${kept}), and the app does not retire it again.`];
  const retired = enabled ? recordIn(tags) : undefined;
  if (!retired) return [];
  return [`It was retired on ${retired.on.toISOString()} and enabled again, and the app does not retire it again.`];
}

/** What a person types whom a retired version is missing. */
export function unretireCommand({ vault, name }: ManagedKey, version: string): string {
  return `cmk key unretire ${name} ${vaultOption(vault)} --version ${version}`;
}

/**
 * What has a version disabled that the log proves unused.
 *
 * @param workspace id of the workspace that has the log; undefined: it is in the environment of the command line
 */
export function retireByLogCommand({ vault, name }: ManagedKey, version: string, workspace?: string): string {
  const log = workspace === undefined ? '' : ` --usage-workspace ${workspace}`;
  return `cmk key retire ${name} ${vaultOption(vault)} --version ${version} --with-evidence${log}`;
}

/** The command for a person who knows that no client uses the version. */
export function retireCommand({ vault, name }: ManagedKey, version: string): string {
  return `cmk key retire ${name} ${vaultOption(vault)} --version ${version} --without-evidence`;
}

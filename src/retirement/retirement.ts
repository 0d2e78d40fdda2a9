import { getAccountName } from '../azure/resource-id.ts';
import { HOUR_MS } from '../formats/spans.ts';
import { formatCount, formatFirst } from '../formats/text.ts';
import type { VersionUsers } from '../key-users/version-users.ts';
import { compareAge, findNewestUsableVersion, getUsableSince, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { formatVaultOption } from '../keys/vault-options.ts';
import { MAX_TAGS, openRevocation } from '../revocation/revocation.ts';

/**
 * Tag of a retired version: time and successor. Until its verification also `unsettled` and the last restored
 * revocation.
 */
const RETIRED_TAG = 'cmk-retired';
/** Stored in tags, so this value must not change. */
const UNCONFIRMED = 'unsettled';
/** Tag of a version that an operator restored: time and operator. The app does not retire such a version again. */
const KEPT_TAG = 'cmk-kept';
/** Storage checks for a new version once a day. Until then an account may use the old version. Hours. */
export const LEAST_RETIRE_HOURS = 24;

/** Uses that no read of a key's users can show. */
export const NOT_KNOWN =
  'Unknown uses may exist: in subscriptions and tenants that the app cannot read, in types that do not report their version, in backups, and in deleted accounts that can be recovered.';

/** Maximum number of users or gaps in a reason. */
const NAMED = 3;

/**
 * Reasons to keep a version; empty if it is retirable. It is retirable if a younger version has been usable for a day
 * and no revocation is open. All users must be known and use other versions.
 */
export function listReasonsToKeep(
  version: KeyVersion,
  versions: readonly KeyVersion[],
  users: VersionUsers,
  now: Date,
): string[] {
  return [...listReasonsOfKey(version, versions, now), ...listReasonsOfUse(version, users)];
}

/** The reasons of {@link listReasonsToKeep} that need only the key. If empty, read the users. */
export function listReasonsOfKey(version: KeyVersion, versions: readonly KeyVersion[], now: Date): string[] {
  if (openRevocation(versions, now)) return ['A revocation of the key is open: its versions must not change.'];

  const successor = findNewestUsableVersion(versions, now);
  if (!successor || compareAge(version, successor) >= 0) return ['No newer version is usable.'];

  // Key Vault's clock may be ahead of the app's.
  const age = Math.max(0, (now.getTime() - getUsableSince(successor).getTime()) / HOUR_MS);
  if (age >= LEAST_RETIRE_HOURS) return [];

  const whole = Math.floor(age);

  return [
    `Its successor ${successor.version} has been usable for ${formatCount(whole, 'hour')}, which has to be at least ${LEAST_RETIRE_HOURS}.`,
  ];
}

/** The reasons of {@link listReasonsToKeep} that depend on the key's users. */
export function listReasonsOfUse({ version }: KeyVersion, { uses, gaps }: VersionUsers): string[] {
  const using = uses.filter(({ versions }) => versions.includes(version)).map(({ who }) => getAccountName(who));
  return [
    ...(using.length > 0 ? [`It is used by ${formatFirst(using, NAMED)}.`] : []),
    ...(gaps.length > 0 ? [`Not everything is known: ${formatFirst(gaps, NAMED, '; ')}`] : []),
  ];
}

/** Enabled versions whose retirement the key itself allows; uses are checked separately. */
export function listRetirable(versions: readonly KeyVersion[], now: Date): KeyVersion[] {
  return versions.filter((version) => version.enabled && listReasonsOfKey(version, versions, now).length === 0);
}

/** Content of a retired version's tag. */
interface RetiredRecord {
  readonly on: Date;
  /** Whether the app read the key's users again after it disabled the version. */
  readonly isConfirmed: boolean;
  /** Id of the last restored revocation; only before the verification. */
  readonly restored?: string | undefined;
}

/** Undefined if the version was not retired or is enabled. */
export function findRetiredRecord({ enabled, tags }: KeyVersion): RetiredRecord | undefined {
  return enabled ? undefined : recordIn(tags);
}

function recordIn(tags: KeyVersion['tags']): RetiredRecord | undefined {
  const [time = '', , state, restored] = (tags[RETIRED_TAG] ?? '').split(' ');
  const on = new Date(time);
  return Number.isNaN(on.getTime()) ? undefined : { on, isConfirmed: state !== UNCONFIRMED, restored };
}

/**
 * Tags of a version being retired; undefined if it already has the maximum number of tags.
 *
 * @param restored id of the key's last restored revocation
 */
export function createRetiredTags(
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

/** Tags of a verified version that stays disabled. */
export function createSettledTags(tags: KeyVersion['tags']): Record<string, string> {
  const record = tags[RETIRED_TAG];
  return record === undefined ? tags : { ...tags, [RETIRED_TAG]: record.split(' ').slice(0, 2).join(' ') };
}

export function withoutRetiredTag({ [RETIRED_TAG]: _, ...others }: KeyVersion['tags']): Record<string, string> {
  return others;
}

/** Tags of a version that an operator restores. */
export function createKeptTags({ tags }: KeyVersion, who: string, now: Date): Record<string, string> {
  return { ...withoutRetiredTag(tags), [KEPT_TAG]: `${now.toISOString()} ${who}` };
}

/**
 * Reasons why only an operator may retire a version. The app removes its tag when it enables a version. An enabled
 * version with the tag was therefore enabled by another tool.
 */
export function listReasonsOfOperator({ enabled, tags }: KeyVersion): string[] {
  const kept = tags[KEPT_TAG];
  if (kept !== undefined) return [`An operator restored it (${kept}), so the app does not retire it again.`];
  const retired = enabled ? recordIn(tags) : undefined;
  if (!retired) return [];
  return [`It was retired on ${retired.on.toISOString()} and enabled again, so the app does not retire it again.`];
}

/** The command that restores a retired version. */
export function formatUnretireCommand({ vault, name }: ManagedKey, version: string): string {
  return `cmk key unretire ${name} ${formatVaultOption(vault)} --version ${version}`;
}

/** The command for an operator who knows that no client uses the version. */
export function formatRetireCommand({ vault, name }: ManagedKey, version: string): string {
  return `cmk key retire ${name} ${formatVaultOption(vault)} --version ${version} --without-evidence`;
}

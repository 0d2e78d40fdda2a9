import { getKnown } from '../../azure/read-or-why.ts';
import { getLastName } from '../../azure/resource-id.ts';
import { DAY_MS } from '../../formats/spans.ts';
import { formatFirst } from '../../formats/text.ts';
import type { OtherDependent } from '../../key-users/dependent.ts';
import { findKeyUserType, isPreviousKey } from '../../key-users/key-user-types.ts';
import {
  findNewestUsableVersion,
  findVersion,
  getUsableSince,
  isKnownOlder,
  type KeyVersion,
} from '../../keys/key-versions.ts';
import { openRevocation } from '../../revocation/revocation.ts';
import type { Found } from './check.ts';
import type { KeySubject, Rules } from './subjects.ts';

// Resources of other services that use a key.

const MOST_NAMED = 5;

/**
 * Names the users that stop when a version expires; undefined if none is known.
 *
 * @param isNewest whether it is the newest version, which users without a named version follow
 */
export function describeStoppedByExpiry(
  { others = [] }: KeySubject,
  version: KeyVersion,
  isNewest: boolean,
): string | undefined {
  const isOn = ({ type, uses }: OtherDependent): boolean =>
    uses.some(
      ({ path, version: named }) =>
        !isPreviousKey(type, path) && (named === undefined ? isNewest : named === version.version),
    );

  const stopped = others.flatMap((other) => {
    const what = findKeyUserType(other.type)?.stopsOnExpiry;
    return what !== undefined && other.known && isOn(other) ? [`${what} ${getLastName(other.id)}`] : [];
  });

  return stopped.length > 0 ? formatFirst(stopped, MOST_NAMED) : undefined;
}

/** Whether one of its users is of a type for which Microsoft's pages disagree on keys with an expiry. */
export function hasUserWithDisputedExpiry({ others = [] }: KeySubject): boolean {
  return others.some(({ type }) => findKeyUserType(type)?.isExpiryDisputed === true);
}

/**
 * Services with automatic versions check the key once an hour or once a day, and then name its newest version. A
 * resource that is behind for longer is pinned or stuck. Milliseconds.
 */
const FOLLOW_MS = DAY_MS;

/** A resource of another service that names an older version. The app moves only storage accounts. */
export function findOtherResourceStale({ key, versions, others }: KeySubject, { now }: Rules): readonly Found[] {
  const read = getKnown(versions) ?? [];
  const target = findNewestUsableVersion(read, now);
  if (!target || !others || openRevocation(read, now)) return [];
  if (now.getTime() - getUsableSince(target).getTime() <= FOLLOW_MS) return [];

  return others.flatMap((other) => {
    const behind = other.uses.find(
      ({ path, version }) => !isPreviousKey(other.type, path) && isOlder(version, target, read),
    );
    if (!other.known || !behind) return [];

    return [
      {
        resource: other.id,
        is: `It names version ${behind.version} of ${key.id} (${behind.path}), more than 24 hours after a newer version became usable.`,
        shouldBe: `It uses the newest usable version ${target.version}. Until then the older version must not be retired or expire.`,
      },
    ];
  });
}

function isOlder(version: string | undefined, target: KeyVersion, versions: readonly KeyVersion[]): boolean {
  const named = version === undefined ? undefined : findVersion(versions, version);
  return named !== undefined && isKnownOlder(named, target);
}

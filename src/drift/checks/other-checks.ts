import { getKnown } from '../../azure/read-or-why.ts';
import { getLastName } from '../../azure/resource-id.ts';
import { DAY_MS } from '../../formats/spans.ts';
import { formatFirst } from '../../formats/text.ts';
import type { OtherDependent } from '../../key-users/dependent.ts';
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

/**
 * Resources that an expired key stops, according to each service's page on customer-managed keys. Virtual machines shut
 * down, servers become inaccessible, stores cannot decrypt. Storage keeps working with an expired key.
 */
const STOPPED: Readonly<Record<string, string>> = {
  'microsoft.compute/diskencryptionsets': 'the virtual machines on the disk encryption set',
  'microsoft.dbforpostgresql/flexibleservers': 'the PostgreSQL server',
  'microsoft.appconfiguration/configurationstores': 'the App Configuration store',
};
/** Property of a disk encryption set with the versions that it is moving away from. */
const PREVIOUS_KEYS = /^previousKeys\b/i;
const MYSQL = /^microsoft\.dbformysql\//i;
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
  const isOn = ({ uses }: OtherDependent): boolean =>
    uses.some(
      ({ path, version: named }) =>
        !PREVIOUS_KEYS.test(path) && (named === undefined ? isNewest : named === version.version),
    );

  const stopped = others.flatMap((other) => {
    const what = STOPPED[other.type.toLowerCase()];
    return what !== undefined && other.known && isOn(other) ? [`${what} ${getLastName(other.id)}`] : [];
  });
  return stopped.length > 0 ? formatFirst(stopped, MOST_NAMED) : undefined;
}

/**
 * The pages of MySQL contradict each other on the effect of an expiry on a server. One recommends keys without expiry.
 */
export function isUsedByMySql({ others = [] }: KeySubject): boolean {
  return others.some(({ type }) => MYSQL.test(type));
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
    const behind = other.uses.find(({ path, version }) => !PREVIOUS_KEYS.test(path) && isOlder(version, target, read));
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

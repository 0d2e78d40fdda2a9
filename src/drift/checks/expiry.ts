import { lastName } from '../../azure/resource-id.ts';
import type { OtherDependent } from '../../dependents/dependent.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import { nameFirst } from '../../text.ts';
import type { KeySubject } from './subjects.ts';

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
export const PREVIOUS_KEYS = /^previousKeys\b/i;
const MYSQL = /^microsoft\.dbformysql\//i;
const MOST_NAMED = 5;

/**
 * Names the users that stop when a version expires; undefined if none is known.
 *
 * @param isNewest whether it is the newest version, which users without a named version follow
 */
export function stoppedByExpiry(
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
    return what !== undefined && other.known && isOn(other) ? [`${what} ${lastName(other.id)}`] : [];
  });
  return stopped.length > 0 ? nameFirst(stopped, MOST_NAMED) : undefined;
}

/**
 * The pages of MySQL contradict each other on the effect of an expiry on a server. One recommends keys without expiry.
 */
export function isUsedByMySql({ others = [] }: KeySubject): boolean {
  return others.some(({ type }) => MYSQL.test(type));
}

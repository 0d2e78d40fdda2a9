import { known } from '../../azure/read-or-why.ts';
import {
  activeFrom,
  findVersion,
  isKnownOlder,
  type KeyVersion,
  newestUsableVersion,
} from '../../keys/key-versions.ts';
import { openRevocation } from '../../revocation/revocation.ts';
import { DAY_MS } from '../../time/spans.ts';
import type { Found } from './check.ts';
import { PREVIOUS_KEYS } from './expiry.ts';
import type { KeySubject, Rules } from './subjects.ts';

/**
 * Services with automatic versions check the key once an hour or once a day, and then name its newest version. A
 * resource that is behind for longer is pinned or stuck. Milliseconds.
 */
const FOLLOW_MS = DAY_MS;

/** A resource of another service that names an older version. The app moves only storage accounts. */
export function otherResourceStale({ key, versions, others }: KeySubject, { now }: Rules): readonly Found[] {
  const read = known(versions) ?? [];
  const target = newestUsableVersion(read, now);
  if (!target || !others || openRevocation(read, now)) return [];
  if (now.getTime() - activeFrom(target).getTime() <= FOLLOW_MS) return [];
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

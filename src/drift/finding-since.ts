import { activeFrom, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Rules } from './checks/subjects.ts';
import type { Finding } from './report.ts';

/** What tells since when what was found just now has been so. */
export interface SinceEvidence {
  /** Of a key, by its identifier; none where they could not be read. */
  readonly versionsOf: (key: string) => readonly KeyVersion[];
  /** What the newest drift report has about a resource. */
  readonly reported: (resource: string) => readonly Finding[];
  readonly rules: Rules;
}

/**
 * Since when (ISO 8601): as exactly as the versions of the key tell, else since a check first
 * found the same, if the newest one found it with the same cause. Undefined: it is not known.
 */
export function findingSince(
  { id, resource, reason, cause }: Omit<Finding, 'since'>,
  { versionsOf, reported, rules }: SinceEvidence,
): string | undefined {
  const versions = versionsOf(cause.about[0] ?? '');
  if (cause.reason === 'RevocationOpen') return openRevocation(versions, rules.now)?.revokedOn.toISOString();
  if (/^(Scope)?StaleKeyVersion$|^LaggingAutomatic/.test(reason)) {
    const target = newestUsableVersion(versions, rules.now);
    return target && activeFrom(target).toISOString();
  }
  return reported(resource).find((before) => before.id === id && before.cause.id === cause.id)?.since;
}

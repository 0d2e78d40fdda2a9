import { timeBoxed } from '../azure/time-box.ts';
import { readBlastRadius } from '../dependents/blast-radius.ts';
import { readEffect } from '../effect/effect-of-key.ts';
import { compareAge, newestUsableVersion, usability } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation, revocationOf } from '../revocation/revocation.ts';
import type { Services } from '../services.ts';
import { listOrRefuse, noSuchKey } from './key-of-route.ts';
import type { KeyStatus } from './schemas.ts';
import { dependentsOf, recordOf } from './to-json.ts';
import { lockoutWarning } from './warnings.ts';

/**
 * How long the answer waits for what depends on the key. Whoever asks may be in the middle of an incident, and what is not
 * read by then is named in the answer; reading and asking the file services beside it takes no longer. Milliseconds.
 */
const DEPENDENTS_MS = 8_000;

/**
 * How a key stands: its versions, an open revocation, what depends on it, and what that shows to whoever uses the data.
 *
 * @throws {@link HttpProblem} 404, or 502 when Key Vault cannot be read
 */
export async function keyStatus(key: ManagedKey, services: Services): Promise<KeyStatus> {
  const listing = listOrRefuse(key, services);
  const [versions, dependents, effect] = await Promise.all([
    listing,
    timeBoxed((signal) => readBlastRadius(key, services, { signal }), DEPENDENTS_MS),
    readEffect(key, listing.then(openRevocation), services),
  ]);
  if (versions.length === 0) throw noSuchKey();
  const now = services.now();
  const open = openRevocation(versions);
  const revocation = recordOf(open);
  return {
    key: key.id,
    versions: [...versions]
      .sort((a, b) => compareAge(b, a))
      .map((version) => ({
        version: version.version,
        createdOn: version.createdOn.toISOString(),
        notBefore: version.notBefore?.toISOString(),
        expiresOn: version.expiresOn?.toISOString(),
        state: usability(version, now),
        revoked: revocationOf(version)?.wasEnabled === true,
      })),
    newestUsable: newestUsableVersion(versions, now)?.version,
    revocation,
    dependents: dependentsOf(dependents),
    effect: effect.accounts.map((account) => ({ ...account })),
    warnings: [...lockoutWarning(dependents), ...effect.warnings],
  };
}

import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { type RevocationCall, requestPasses, watchEffect } from './follow-ups.ts';
import { type Audited, type BesideServices, writeDown } from './record-revocation.ts';
import { type KeyRevocation, type RevokeServices, revokeKey } from './revoke-key.ts';

interface RevokeUseCase<Dependents> extends RevokeServices, BesideServices {
  /** Creates a random id. */
  readonly newId: () => string;
  /** Reads the key's dependents. Runs beside the revocation and never throws. */
  readonly dependents: (key: ManagedKey) => Promise<Dependents>;
}

export interface Revoked<Dependents> extends KeyRevocation, Audited {
  readonly dependents: Dependents;
  /** Failed reads and writes. */
  readonly warnings: readonly string[];
}

/**
 * Revokes a key for the API and the command line. Reads the key's dependents in parallel, within a time limit. If audit
 * trail, queue or inventory are unavailable, the key is still disabled, and the answer has a warning.
 *
 * @returns undefined if the key does not exist
 * @throws the SDK's error when the first page of versions cannot be listed; the call then changed nothing
 */
export async function revoke<Dependents>(
  key: ManagedKey,
  call: RevocationCall,
  services: RevokeUseCase<Dependents>,
  log: Log,
): Promise<Revoked<Dependents> | undefined> {
  const by = { id: services.newId(), revokedBy: call.caller.objectId };
  // Runs beside the revocation, which must not wait for it.
  const reading = services.dependents(key);
  const passes = requestPasses(key, 'revoke', call, services);
  const result = await revokeKey(key, by, services);
  if (result.versions.length === 0) return undefined;

  const { key: spelled, complete, versions, elapsedMs, stamp, recorded } = result;
  // A later verification needs these to repair the effects of in-flight writes.
  const carriers = [...recorded].map(([version, wasEnabled]) => ({ version, wasEnabled }));
  const reason = complete ? 'Revoked' : 'RevocationIncomplete';
  const [dependents, audited, ...notDone] = await Promise.all([
    reading,
    writeDown(
      {
        action: 'key.revoke',
        resource: spelled.id,
        reason,
        revocation: stamp,
        details: { complete, versions, elapsedMs, carriers },
      },
      call,
      services,
      log,
    ),
    passes,
    watchEffect(spelled, 'revoke', call, services),
  ]);
  return { ...result, ...audited, dependents, warnings: notDone.flat() };
}

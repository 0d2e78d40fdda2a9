import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { type RevocationCall, requestPasses, watchEffect } from './follow-ups.ts';
import { type Audited, type BesideServices, writeDown } from './record-revocation.ts';
import { type KeyRevocation, type RevokeServices, revokeKey } from './revoke-key.ts';

interface RevokeUseCase<Dependents> extends RevokeServices, BesideServices {
  /** An id with randomness in it. */
  readonly newId: () => string;
  /** What depends on the key; it is begun beside the revocation and never throws. */
  readonly dependents: (key: ManagedKey) => Promise<Dependents>;
}

export interface Revoked<Dependents> extends KeyRevocation, Audited {
  readonly dependents: Dependents;
  /** What could not be written or read. */
  readonly warnings: readonly string[];
}

/**
 * Revokes a key: for the API and the command line. What depends on it is read beside that, within bounds; audit, queue and
 * inventory can be out of reach altogether: the answer says so, and the key is disabled all the same.
 *
 * @returns undefined when there is no such key
 * @throws the SDK's error when not even the first versions can be listed: nothing was changed then
 */
export async function revoke<Dependents>(
  key: ManagedKey,
  call: RevocationCall,
  services: RevokeUseCase<Dependents>,
  log: Log,
): Promise<Revoked<Dependents> | undefined> {
  const by = { id: services.newId(), revokedBy: call.caller.objectId };
  // Begun beside the revocation, never waited for before it.
  const reading = services.dependents(key);
  const passes = requestPasses(key, 'revoke', call, services);
  const result = await revokeKey(key, by, services);
  if (result.versions.length === 0) return undefined;

  const { key: spelled, complete, versions, elapsedMs, stamp, recorded } = result;
  // A later verification repairs by these what an in-flight write has undone.
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

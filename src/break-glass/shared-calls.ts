import { SharedReads } from '../azure/shared-reads.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RevocationCall } from '../revocation/record-revocation.ts';
import type { KeyStatus } from '../views/key-schemas.ts';
import type { RestoreRequest, RestoreResponse, RevokeRequest, RevokeResponse } from './schemas.ts';

/**
 * What one caller asks over and over while the same is under way is done once more for all of it: a script that runs wild
 * must not keep somebody else's revocation waiting. Calls of different people are never shared.
 */
export class SharedCalls {
  readonly #revocations = new SharedReads<RevokeResponse>();
  readonly #dryRuns = new SharedReads<RevokeResponse>();
  readonly #restores = new SharedReads<RestoreResponse>();
  readonly #statuses = new SharedReads<KeyStatus>();

  revoke(
    key: ManagedKey,
    { confirm }: RevokeRequest,
    { caller, why, ticket }: RevocationCall,
    run: () => Promise<RevokeResponse>,
  ): Promise<RevokeResponse> {
    return this.#revocations.read(nameOf(key, caller.objectId, why, ticket, confirm), run);
  }

  dryRun(key: ManagedKey, objectId: string, run: () => Promise<RevokeResponse>): Promise<RevokeResponse> {
    return this.#dryRuns.read(nameOf(key, objectId), run);
  }

  restore(
    key: ManagedKey,
    { revocation }: RestoreRequest,
    { caller, why, ticket }: RevocationCall,
    run: () => Promise<RestoreResponse>,
  ): Promise<RestoreResponse> {
    return this.#restores.read(nameOf(key, caller.objectId, why, ticket, revocation), run);
  }

  status(key: ManagedKey, objectId: string, run: () => Promise<KeyStatus>): Promise<KeyStatus> {
    return this.#statuses.read(nameOf(key, objectId), run);
  }
}

function nameOf({ id }: ManagedKey, ...of: readonly (string | undefined)[]): string {
  return JSON.stringify([id.toLowerCase(), ...of]);
}

import type { z } from 'zod';
import type { Caller } from '../http/caller.ts';
import { HttpProblem } from '../http/problem.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Services } from '../services.ts';
import { KEY_WORK } from '../work/messages.ts';
import { describe } from '../work/outcome.ts';
import { audit, inTime, noSuchKey } from './handle.ts';
import { auditWarning, unreadable, watchEffect } from './handle-revoke.ts';
import { preflight } from './preflight.ts';
import { type KeyRestoration, restoreKey } from './restore-key.ts';
import type { RESTORE_REQUEST, RESTORE_RESPONSE } from './schemas.ts';

type Request = z.output<typeof RESTORE_REQUEST>;
export type RestoreResponse = z.input<typeof RESTORE_RESPONSE>;

/**
 * Restores a key: exactly what the revocation disabled, by a second person. What an account still lacks is named, so that
 * nobody waits for access that cannot come back. Afterwards every dependent is looked at.
 *
 * @throws {@link HttpProblem} 403 for the person who revoked, 404, 502 when something is not enabled again
 */
export async function handleRestore(
  key: ManagedKey,
  request: Request,
  caller: Caller,
  correlationId: string,
  services: Services,
  log: Log,
): Promise<RestoreResponse> {
  const { urgentKeys, now, sleep, settings } = services;
  let result: KeyRestoration;
  try {
    result = await restoreKey(key, caller.objectId, settings, { keys: urgentKeys, now, sleep });
  } catch (error) {
    throw unreadable(error);
  }
  if (result.versions.length === 0) throw noSuchKey();
  if (result.needsSecondPerson) {
    throw new HttpProblem(
      403,
      'SecondPersonNeeded',
      REASONS.SecondPersonNeeded,
      'Ask somebody else with the app role CmkKey.Restore to make this call.',
    );
  }
  const revocation = result.revocation && {
    id: result.revocation.id,
    revokedOn: result.revocation.revokedOn.toISOString(),
    revokedBy: result.revocation.revokedBy,
  };
  if (!revocation) {
    const nothing = { key: key.id, reason: 'NothingToRestore', complete: true, accounts: [], warnings: [] } as const;
    return {
      ...nothing,
      accounts: [],
      warnings: [],
      recovered: result.recovered,
      versions: [...result.versions],
      audit: 'nothing to write: nothing was changed',
    };
  }
  const reason = result.complete ? 'Restored' : 'RestoreIncomplete';
  log({
    level: 'warning',
    reason,
    message: REASONS[reason],
    key: key.id,
    revocation,
    caller: caller.objectId,
    correlationId,
  });
  const { reason: why, ticket } = request;
  const details = { why, ticket, revocation, complete: result.complete, versions: result.versions };
  const cause = { by: 'restore', ref: correlationId, since: now().toISOString() };
  const [written, accounts, ...notDone] = await Promise.all([
    audit('key.restore', reason, key, caller, correlationId, details, services),
    preflight(key, services),
    inTime('The dependents are not looked at; the next drift check does it', () =>
      services.queue.send(KEY_WORK, { kind: 'key', key: key.id, cause, attempt: 0 }),
    ),
    inTime('The effect on the file shares is not watched', () => watchEffect(key, 'open', correlationId, services)),
  ]);
  const body: RestoreResponse = {
    key: key.id,
    reason: 'Restored',
    complete: result.complete,
    recovered: result.recovered,
    revocation,
    versions: [...result.versions],
    accounts: accounts.accounts,
    audit: written,
    warnings: [...accounts.warnings, ...auditWarning(written), ...notDone.flat()],
  };
  if (result.complete) return body;
  const { reason: _, ...extensions } = body;
  throw new HttpProblem(
    502,
    'RestoreIncomplete',
    result.unproven
      ? `The versions could not be read again as proof: ${describe(result.unproven)}`
      : 'Some versions that the revocation disabled are not enabled again; "versions" says which.',
    'Repeat the same call: it finishes what is missing and leaves the rest.',
    { extensions },
  );
}

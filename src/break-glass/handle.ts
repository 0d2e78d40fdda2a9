import type { AuditEntry } from '../audit/record.ts';
import type { Caller } from '../http/caller.ts';
import { HttpProblem } from '../http/problem.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { managedKey } from '../keys/managed-vaults.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Services } from '../services.ts';

/** How long an answer waits for the audit trail, and for the queue, in milliseconds. Neither holds up the key. */
export const AUDIT_WAIT_MS = 2_000;
const QUEUE_WAIT_MS = 2_000;

const KEY_NAME = /^[0-9A-Za-z-]{1,127}$/;

/**
 * The key that a call names. A vault that is not managed gets the same answer whether or not it or the key exists.
 *
 * @throws {@link HttpProblem} 404
 */
export function keyOfCall(
  vaults: ManagedVaults,
  vaultName: string | undefined,
  keyName: string | undefined,
): ManagedKey {
  const vault = vaults.byName(vaultName ?? '');
  if (!vault || !KEY_NAME.test(keyName ?? '')) throw noSuchKey();
  return managedKey(vault, keyName ?? '');
}

export function noSuchKey(): HttpProblem {
  return new HttpProblem(
    404,
    'KeyNotManaged',
    REASONS.KeyNotManaged,
    'Check the names of vault and key; the vault has to be one of CMK_VAULTS.',
  );
}

/** Writes to the audit trail, and says what became of it in words that go into the answer. */
export async function audit(
  action: 'key.revoke' | 'key.restore',
  reason: Reason,
  key: ManagedKey,
  caller: Caller,
  correlationId: string,
  details: NonNullable<AuditEntry['details']>,
  services: Pick<Services, 'audit'>,
): Promise<string> {
  const { objectId, appId, tokenId, name } = caller;
  const outcome = await services.audit(
    { action, reason, resource: key.id, caller: { objectId, appId, tokenId, name }, correlationId, details },
    AUDIT_WAIT_MS,
  );
  return 'written' in outcome ? 'written' : outcome.failed;
}

/** Runs what is good to have and must not hold up the answer; a warning says what did not work. */
export async function inTime(what: string, run: () => Promise<void>): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${QUEUE_WAIT_MS} ms`)), QUEUE_WAIT_MS);
  });
  const work = run();
  work.catch(() => {}); // when time is up first, nobody hears of it any more
  try {
    await Promise.race([work, timeUp]);
    return [];
  } catch (error) {
    return [`${what} (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`];
  } finally {
    clearTimeout(timer);
  }
}

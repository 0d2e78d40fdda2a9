import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import { errorText } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import type { RouteKey } from '../http/access.ts';
import { HttpProblem } from '../http/problem.ts';
import type { Revocable } from '../identities/revocable.ts';
import { keyOfTaken } from '../identities/role-grant.ts';
import type { AccountPart } from '../revocation/account-part.ts';
import { openOfPart, resourceOfPart, type Taken } from '../revocation/account-record.ts';
import { type AccountTrail, foundOnRecord } from '../revocation/account-trail.ts';

/** How long a restore waits for the audit trail, which it reads back to when the account was revoked. Milliseconds. */
const TRAIL_WAIT_MS = 10_000;

interface ReachServices {
  readonly accountTrail: AccountTrail;
  readonly now: () => Date;
}

/** Whether the audit trail says that a revocation has found a role. It is read once. */
export type FoundOnRecord = () => Promise<(taken: Taken) => boolean>;

/** @returns what throws an error that says why the audit trail could not be read */
export function foundByTrail(
  { account, part }: Pick<Revocable, 'account' | 'part'>,
  { accountTrail, now }: ReachServices,
): FoundOnRecord {
  const began = now();
  const read = async (): Promise<(taken: Taken) => boolean> => {
    const open = openOfPart(account.tags, part.part, began);
    const since = new Date(Math.min(began.getTime(), ...open.map(({ revokedOn }) => revokedOn.getTime())));
    const words = await timeBoxed(async (signal) => {
      const reading = accountTrail(resourceOfPart(account, part.part), since, signal);
      return (await untilAborted(reading, signal)) ? reading : undefined;
    }, TRAIL_WAIT_MS);
    if (!words) throw new Error(`The audit trail was not read within ${TRAIL_WAIT_MS / 1_000} s.`);
    // What this restore has put on record itself says nothing of what there was to restore.
    return foundOnRecord(words.filter(({ did, on }) => did === 'revoke' || on < began));
  };
  let reading: ReturnType<FoundOnRecord> | undefined;
  return () => {
    reading ??= read();
    return reading;
  };
}

/**
 * The part, by which a restore gives nothing that its caller's role does not reach. Each role is asked for right before it is
 * given: whoever may write the tags of the account can have its record grow after the call was let through. For a role of the
 * whole vault, where the caller's reaches some keys alone, the audit trail has to say that the revocation has found it.
 *
 * @param requireOn throws {@link HttpProblem} where the caller's role does not reach that key; `*`: all of the vault
 */
export function withinReach(
  { key, part }: Pick<Revocable, 'key' | 'part'>,
  requireOn: (key: RouteKey) => void,
  found: FoundOnRecord,
): AccountPart {
  const vault = key.vault.name;
  const check = async (taken: Taken): Promise<void> => {
    // A scope is on the key that the call was let through for.
    if (taken.kind === 'scope') return;
    const name = keyOfTaken(taken);
    if (isReached(requireOn, { vault, key: name ?? '*' })) return;
    if (name !== undefined) throw refused(`on the key ${vault}/${name}, which your role does not reach.`);
    const isFound = await found().catch((error: unknown) => {
      throw refused(`on all of ${vault}, and your role reaches some keys of it alone. ${errorText(error)}`);
    });
    if (isFound(taken)) return;
    throw refused(
      `on all of ${vault}: your role reaches some keys of it alone, and the audit trail does not say that the revocation has found it.`,
    );
  };
  return {
    ...part,
    async give(taken) {
      await check(taken);
      await part.give(taken);
    },
  };
}

/** Of roles that were given by the word of the tags alone, whoever restored is told: others may have written those. */
export async function unfoundWarning(given: readonly Taken[], found: FoundOnRecord): Promise<string[]> {
  const roles = given.flatMap((one) => (one.kind === 'scope' ? [] : one));
  if (roles.length === 0) return [];
  try {
    const isFound = await found();
    const places = roles.filter((one) => !isFound(one)).map(({ scope, name }) => `${scope} (${name})`);
    if (places.length === 0) return [];
    return [
      `Given by the tags of the account alone, the audit trail has no revocation that found it: ${places.join(', ')}.`,
    ];
  } catch (error) {
    return [`Whether the revocation had found what was given is not known. ${errorText(error)}`];
  }
}

function isReached(requireOn: (key: RouteKey) => void, key: RouteKey): boolean {
  try {
    requireOn(key);
    return true;
  } catch (error) {
    if (error instanceof HttpProblem) return false;
    throw error;
  }
}

function refused(what: string): CmkError {
  return new CmkError(
    'Refused',
    `The record names a role ${what} It is not given.`,
    'Look what the audit trail says was taken away (`cmk audit list --action account.revoke`). If that is in it, have somebody restore it whose role CmkKey.Restore reaches the whole vault; else find out who wrote the tags.',
  );
}

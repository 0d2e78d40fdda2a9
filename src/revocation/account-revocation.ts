import type { Log } from '../log.ts';
import type { Reason } from '../reasons.ts';
import { ACCOUNT_WORK, type AccountRevocationWork } from '../work/messages.ts';
import type { AccountPart, AccountPorts } from './account-part.ts';
import { type AccountRevocation, allTaken, resourceOfPart, scopeOfPart, type Taken } from './account-record.ts';
import { isRefused } from './change-access.ts';
import { type AccountGiving, giveAccount } from './give-account.ts';
import { inTime } from './in-time.ts';
import { callCause, callToSend, IF_KILLED, SECOND_LOOKS, sendLooks, stampToSend } from './look-message.ts';
import { type Audited, type BesideServices, NOT_AUDITED, type RevocationCall, writeDown } from './record-revocation.ts';
import type { RestoreEnd } from './restore-end.ts';
import type { RevocationStamp } from './revocation.ts';
import { type AccountTaking, takeAccount } from './take-account.ts';

export type AccountUseCase = AccountPorts & BesideServices;

export type AccountRevoking = AccountUseCase & {
  /** An id with randomness in it. */
  readonly newId: () => string;
};

/** Where the account is, and the key that it is cut off from, or given back to. */
export interface AccountPlace {
  readonly location: string;
  /** Identifier without a version. */
  readonly key: string;
}

export interface AccountRevoked extends AccountTaking, Audited {
  /** What could not be written. */
  readonly warnings: readonly string[];
}

export interface AccountRestored extends AccountGiving, Audited {
  readonly warnings: readonly string[];
}

/**
 * Revokes an account's access to its key, or an encryption scope: for the API and the command line. It takes Azure Resource
 * Manager and a token; audit and queue can be out of reach, and the answer says so.
 *
 * @throws what `takeAccount` throws: nothing was taken away then
 */
export async function revokeAccount(
  part: AccountPart,
  place: AccountPlace,
  call: RevocationCall,
  services: AccountRevoking,
  log: Log,
): Promise<AccountRevoked> {
  const began = services.now();
  const by = { id: services.newId(), revokedBy: call.caller.objectId };
  const ifKilled = lookAgain(
    part,
    { did: 'revoke', revocation: { ...by, revokedOn: began } },
    call,
    services,
    IF_KILLED,
  );
  const taking = await takeAccount(part, by, services);
  const { complete, revocation, found, left, failures, elapsedMs } = taking;
  const reason = complete ? 'AccountRevoked' : 'AccountRevocationIncomplete';
  const resource = resourceOfPart(part.account, part.part);
  const details = { key: place.key, complete, found, left, failures, elapsedMs };
  const [audited, ...notDone] = await Promise.all([
    writeDown({ action: 'account.revoke', resource, reason, revocation, began, details }, call, services, log),
    lookAtAccount(part, place, 'revoke', call, services),
    lookAgain(part, { did: 'revoke', revocation, gives: found }, call, services, SECOND_LOOKS),
    ifKilled,
  ]);
  return { ...taking, ...audited, warnings: [...new Set(notDone.flat())] };
}

/**
 * Gives back exactly what the named revocation took away, by a second person. Afterwards the account is looked at: its key
 * may have a newer version by now.
 *
 * @param part what the named revocation is of
 * @throws the SDK's error when the account cannot be read: nothing was changed then
 */
export async function restoreAccount(
  part: AccountPart,
  place: AccountPlace,
  { revocation, dualControl }: { readonly revocation: string; readonly dualControl: boolean },
  call: RevocationCall,
  services: AccountUseCase,
  log: Log,
): Promise<AccountRestored> {
  const began = services.now();
  const id = revocation.toLowerCase();
  const ifKilled: Promise<string[]>[] = [];
  const begins = (of: AccountRevocation, closes: readonly AccountRevocation[]): void => {
    ifKilled.push(
      lookAgain(part, { did: 'restore', revocation: of, gives: allTaken(closes), closes }, call, services, IF_KILLED),
    );
  };
  const request = { revocation: id, restoredBy: call.caller.objectId, dualControl, begins };
  const giving = await giveAccount(part, request, services);
  const reason = REASON_OF[giving.end];
  if (!reason || !giving.revocation) return { ...giving, ...NOT_AUDITED, warnings: [] };
  const resource = resourceOfPart(part.account, giving.revocation.part);
  const { closed, given, failures } = giving;
  const restored = closed.find((one) => one.id === id) ?? giving.revocation;
  const refused = failures.filter(isRefused).map(({ taken }) => taken);
  const gives = allTaken(closed);
  const details = { key: place.key, closed: closed.map((one) => one.id), gives, given, failures, refused };
  const [audited, ...notDone] = await Promise.all([
    writeDown(
      { action: 'account.restore', resource, reason, revocation: giving.revocation, began, details },
      call,
      services,
      log,
    ),
    lookAtAccount(part, place, 'restore', call, services),
    lookAgain(part, { did: 'restore', revocation: restored, gives, closes: closed }, call, services, SECOND_LOOKS),
    ...ifKilled,
  ]);
  return { ...giving, ...audited, warnings: [...new Set(notDone.flat())] };
}

/** What is recorded; a refusal changed nothing. */
const REASON_OF: Readonly<Partial<Record<RestoreEnd, Reason>>> = {
  restored: 'AccountRestored',
  overtaken: 'RestoreOvertaken',
  incomplete: 'AccountRestoreIncomplete',
};

/** Has the account looked at: for the fleet index, and to move it once it may be moved again. */
function lookAtAccount(
  { account }: AccountPart,
  { location, key }: AccountPlace,
  did: 'revoke' | 'restore',
  { correlationId }: RevocationCall,
  { queue, now }: BesideServices,
): Promise<string[]> {
  const cause = callCause(did, correlationId, now());
  return inTime('The account is not looked at now; the next drift check does it', () =>
    queue.send(ACCOUNT_WORK, { kind: 'account', account: account.id, location, key, cause, attempt: 0 }),
  );
}

interface AccountDone {
  readonly did: 'revoke' | 'restore';
  readonly revocation: RevocationStamp;
  /** Of a revocation that is at its end: all that it has found. Of a restore: all that its records say was taken. */
  readonly gives?: readonly Taken[];
  /** Of a restore: all that it closes. */
  readonly closes?: readonly AccountRevocation[];
}

/**
 * Has what was done looked at again. In the queue of keys: what is in the other one waits for pauses, canaries and turns.
 */
function lookAgain(
  { account, part }: AccountPart,
  { did, revocation, gives, closes = [] }: AccountDone,
  call: RevocationCall,
  { queue, now }: BesideServices,
  looks: readonly number[],
): Promise<string[]> {
  const scope = scopeOfPart(part);
  const work: AccountRevocationWork = {
    kind: 'accountRevocation',
    account: account.id,
    ...(scope === undefined ? {} : { scope }),
    done: {
      did,
      revocation: stampToSend(revocation),
      call: callToSend(call),
      ...(gives ? { gives: [...gives] } : {}),
      // An instance of before, while another one is deployed, does not take it.
      ...(closes.length > 1 ? { closes: closes.map(({ id }) => id) } : {}),
    },
    records: false,
    cause: callCause(did, call.correlationId, now()),
    attempt: 0,
  };
  const what = 'It is not looked at a second time for writes that were still under way';
  return inTime(what, () => sendLooks(work, looks, { queue }));
}

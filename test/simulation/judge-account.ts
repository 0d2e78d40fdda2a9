import type { AuditEntry } from '../../src/audit/record.ts';
import { type AccountRevocation, allTaken } from '../../src/revocation/account-record.ts';
import { wordOf } from '../../src/revocation/account-trail.ts';
import type { AccountDeed } from './account-scenario.ts';
import type { Actor } from './scheduler.ts';

export interface AccountCall {
  readonly did: 'revoke' | 'restore';
  readonly actor: Actor;
  readonly id: string;
  readonly by: number;
  readonly start: number;
  end: number | undefined;
  answer: string | undefined;
}

export interface ByHand extends AccountDeed {
  readonly at: number;
  /** What a person gave, by its own name. */
  readonly gave?: string | undefined;
}

/** The account when nothing more happens. */
interface AccountAtRest {
  readonly resource: string;
  readonly entries: readonly AuditEntry[];
  readonly calls: readonly AccountCall[];
  readonly byHand: readonly ByHand[];
  /** Newest first. */
  readonly open: readonly AccountRevocation[];
  /** Whatever gives access, and what gave it before anything was done. */
  readonly access: readonly string[];
  readonly before: readonly string[];
  readonly isScope: boolean;
  /** Revocations whose record has stood, and those whose record a restore has taken away. */
  readonly stood: ReadonlySet<string>;
  readonly restored: readonly (readonly string[])[];
  /** Revocations of which a look was to come that records them. */
  readonly looked: ReadonlySet<string>;
  readonly harms: number;
}

/** @throws Error that says what does not hold */
export function judgeAccountAtRest(rest: AccountAtRest): void {
  judgeRecords(rest);
  judgeRevoked(rest);
  judgeRestored(rest);
  judgeMissing(rest);
  judgeByHand(rest);
}

/** Whatever took effect is on record, although its process was killed, or an answer lost. */
function judgeRecords({ entries, resource, calls, open, stood, restored, looked, harms }: AccountAtRest): void {
  for (const { did, id, answer } of calls) {
    const isDone =
      did === 'revoke' && (answer === 'complete' || (answer === undefined && stood.has(id) && looked.has(id)));
    const isOn = entries.some((entry) => entry.id?.startsWith(`account.revoke/${id}/`));
    // With another one that is at work, and puts its record back, no look can tell that the restore of both was killed.
    if (isDone && !isOn && harms <= (calls.length > 2 ? 1 : 2)) throw new Error(`Revocation ${id} is not on record.`);
  }
  const closed = new Set(
    entries.flatMap((entry) => wordOf(JSON.parse(JSON.stringify(entry)), resource, new Date())?.closed ?? []),
  );
  const openIds = new Set(open.map(({ id }) => id));
  for (const ids of restored) {
    // Where a revocation that was at work has put its record back, it has not taken effect.
    const isOn = ids.some((id) => openIds.has(id)) || ids.every((id) => closed.has(id));
    if (!isOn && harms <= 2) throw new Error(`The restore of ${ids} is not on record.`);
  }
}

function judgeRevoked(rest: AccountAtRest): void {
  const { calls, open, byHand, access } = rest;
  for (const revoke of calls) {
    if (revoke.did !== 'revoke' || revoke.answer !== 'complete') continue;
    if (restoresBegun(rest).some(({ start }) => start > revoke.start)) continue;
    if (open.length === 0) throw new Error(`Revoked (${revoke.id}), and at rest no revocation is on record.`);
    if (byHand.some(({ do: what, at }) => what !== 'takeByHand' && at > revoke.start)) continue;
    if (access.length > 0) throw new Error(`Revoked (${revoke.id}), and at rest it has: ${access}`);
  }
}

function judgeRestored(rest: AccountAtRest): void {
  const last = restoresBegun(rest).findLast(({ answer }) => answer === 'restored');
  if (!last) return;
  const others = rest.calls.filter((one) => one !== last);
  if (others.some(({ start, end }) => start > last.start || end === undefined || end > last.start)) return;
  // Whoever is told that the record could not be written has begun it all the same, where it comes late.
  if (rest.harms > 1 && others.some(({ did, answer }) => did === 'revoke' && /^failed/.test(answer ?? ''))) return;
  const [open] = rest.open;
  if (open) throw new Error(`Restored, and at rest a revocation is open: ${open.id}.`);
  if (rest.byHand.length > 0) return;
  const [is, was] = [rest.access, rest.before].map((all) => all.join(', '));
  if (is !== was) throw new Error(`Restored, and at rest it has: ${is}; it had: ${was}`);
}

function restoresBegun({ calls }: AccountAtRest): readonly AccountCall[] {
  return calls.filter(
    ({ did, answer }) => did === 'restore' && !/^(nothing|otherRevocation|secondPerson|failed)/.test(answer ?? ''),
  );
}

/** No look is to come any more: what was taken, and is not there again, can be given back by a record alone. */
function judgeMissing({ before, access, open, byHand, harms }: AccountAtRest): void {
  const hands = byHand.filter(({ do: what }) => what !== 'giveMoreByHand');
  if (hands.length > 0 || harms > 1) return;
  const given = new Set([
    ...access,
    ...allTaken(open).map((one) => (one.kind === 'scope' ? `scope ${one.name}` : `${one.scope}/${one.name}`)),
  ]);
  const lost = [...before, ...byHand.flatMap(({ gave = [] }) => gave)].filter((one) => !given.has(one));
  if (lost.length > 0) throw new Error(`Taken away, and in no record at rest: ${lost}`);
}

/** What a person does after everything is that person's. */
function judgeByHand({ byHand, calls, access, isScope }: AccountAtRest): void {
  const hand = byHand.at(-1);
  if (!hand?.quiet || calls.some(({ start }) => start > hand.at)) return;
  if (hand.gave && !access.includes(hand.gave)) throw new Error('What a person has given is taken away.');
  if (hand.do === 'enableByHand' && isScope && access.length === 0) {
    throw new Error('The scope that a person has enabled is disabled.');
  }
  const isNone = hand.do === 'takeByHand' || (hand.do === 'changeIdentity' && !isScope);
  if (isNone && access.length > 0) throw new Error('What a person took away is given back.');
}

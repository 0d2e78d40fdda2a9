import { z } from 'zod';
import type { AuditFiles } from '../audit/audit-files.ts';
import { recordsSince } from '../audit/records-since.ts';
import { RECORDED_TAKEN } from '../work/taken.ts';
import { type AccountRevocation, PART, type Taken, takenId } from './account-record.ts';

/** What the audit trail says was done to one part of an account, by a call. */
export interface AccountWord {
  readonly did: 'revoke' | 'restore';
  /** Id of the revocation that was made, or restored. */
  readonly revocation: string;
  /** Reason code of the outcome. */
  readonly reason: string;
  readonly on: Date;
  /** Of a restore: ids of all that it closed. */
  readonly closed: readonly string[];
  /** Of a restore: all that it gives back. */
  readonly gives: readonly Taken[];
  /** Of a revocation: its record, as it was when it was done. */
  readonly record: AccountRevocation | undefined;
  /** Of a revocation, by its own call: all that its reads have shown to give access. */
  readonly found: readonly Taken[];
  /** Of a restore: what of that the app itself did not give. */
  readonly refused: readonly Taken[];
  /** A look has concluded it from what it found: nothing is given back by that. */
  readonly foundLater: boolean;
  /** Of some of what it is about, that message has been all that spoke of it. */
  readonly byMessageAlone: boolean;
}

/**
 * What was done to that resource since then, the newest first. Tags and queues can be written by people who may not give
 * roles: what a look does, nobody's call beside it, it does by this.
 *
 * @param signal ends the reading: it may go back by months
 * @throws the SDK's error when the trail cannot be read, and the reason of the signal
 */
export type AccountTrail = (resource: string, since: Date, signal?: AbortSignal) => Promise<readonly AccountWord[]>;

const DID = { 'account.revoke': 'revoke', 'account.restore': 'restore' } as const;
const REVOCATION = z.object({
  id: z.string(),
  revokedOn: z.iso.datetime().transform((time) => new Date(time)),
  revokedBy: z.string(),
  joined: z.array(z.string()).exactOptional(),
  part: PART,
  took: z.array(RECORDED_TAKEN),
});
const ENTRY = z.object({
  action: z.enum(['account.revoke', 'account.restore']),
  reason: z.string(),
  resource: z.string(),
  details: z.object({
    revocation: z.looseObject({ id: z.string() }),
    closed: z.array(z.string()).default([]),
    gives: z.array(RECORDED_TAKEN).default([]),
    found: z.array(RECORDED_TAKEN).default([]),
    refused: z.array(RECORDED_TAKEN).default([]),
    foundLater: z.boolean().default(false),
    byMessageAlone: z.boolean().default(false),
  }),
});

/** In a record as this app writes it. Thousands of accounts may move in the hour that a look reads back. */
const ABOUT = '"action":"account.re';

/** Whether a call has restored it, as the call itself has put on record. */
export function isRestored({ did, reason, foundLater }: AccountWord): boolean {
  return did === 'restore' && reason === 'AccountRestored' && !foundLater;
}

/**
 * Whether a revocation that nobody has restored has found exactly that, by the word of its own call. What a record in the
 * tags, or one that it has joined, says besides, others can have written.
 */
export function foundOnRecord(words: readonly AccountWord[]): (taken: Taken) => boolean {
  const closed = new Set(words.flatMap((word) => (isRestored(word) ? word.closed : [])));
  const open = words.filter(
    ({ did, foundLater, revocation }) => did === 'revoke' && !foundLater && !closed.has(revocation),
  );
  const found = new Set(open.flatMap((word) => word.found.map(exactly)));
  return (taken) => found.has(exactly(taken));
}

/** Without its condition a role is another one. */
function exactly(taken: Taken): string {
  const { condition, conditionVersion } = taken.kind === 'role' ? taken : {};
  return JSON.stringify([takenId(taken), condition, conditionVersion]);
}

export function accountTrail(files: AuditFiles): AccountTrail {
  return async (resource, since, signal) => {
    const words: AccountWord[] = [];
    for await (const { entry, time } of recordsSince(files, ABOUT, since, signal)) {
      const word = wordOf(entry, resource, new Date(time));
      if (word) words.push(word);
    }
    return words;
  };
}

/** Undefined: it is about something else. */
export function wordOf(entry: unknown, resource: string, on: Date): AccountWord | undefined {
  const { data } = ENTRY.safeParse(entry);
  if (data?.resource.toLowerCase() !== resource.toLowerCase()) return undefined;
  const { revocation, ...details } = data.details;
  const did = DID[data.action];
  const isOwn = did === 'revoke' && !details.foundLater;
  const record = isOwn ? REVOCATION.safeParse(revocation).data : undefined;
  return {
    did,
    reason: data.reason,
    on,
    revocation: revocation.id,
    record,
    ...details,
    found: isOwn ? details.found : [],
  };
}

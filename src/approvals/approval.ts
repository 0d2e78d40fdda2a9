import { createHash } from 'node:crypto';
import { z } from 'zod';
import { RECORDED_CALLER } from '../audit/record.ts';
import type { Reason } from '../reasons.ts';
import { HOUR_MS } from '../time/spans.ts';

/** How long one can be approved, in milliseconds: a shift. */
export const APPROVAL_LIFE_MS = 8 * HOUR_MS;

/**
 * After so long a request that is being carried out was cut off, in milliseconds: the call that does it ends within 200 s
 * (`functions/time-limits.ts`), what it began takes effect within 60 s more or never, and clocks are five minutes apart.
 */
export const RUN_LIMIT_MS = 10 * 60_000;

const kept = {
  v: z.literal(1),
  /** Names the request by what it asks for: see {@link approvalId}. */
  id: z.string(),
  reason: z.string(),
  ticket: z.string().optional(),
  askedBy: RECORDED_CALLER,
  askedOn: z.iso.datetime(),
  expiresOn: z.iso.datetime(),
  /** So many people beside the asker have to approve. */
  needed: z.int().min(1),
  approvedBy: z.array(RECORDED_CALLER.extend({ on: z.iso.datetime(), correlationId: z.string() })),
  /** `running` once the last one has approved: it is carried out then, and never again. `unknown` is only ever shown. */
  state: z
    .enum(['waiting', 'running', 'done', 'failed', 'withdrawn', 'unknown'])
    .describe(
      '`unknown`: whoever carried it out was ended before they could write down how it ended. Look at what it is about, and ask anew if it is not done; this one is never carried out again.',
    ),
  /** Reason code of how it ended. */
  outcome: z.string().optional(),
};

const REKEY = z.object({
  action: z.literal('rekey'),
  vault: z.string(),
  key: z.string(),
  /** Everything that uses the key is to use this one instead. */
  to: z.object({ vault: z.string(), key: z.string() }),
  /** So many accounts may fail before it is paused. */
  maxFailures: z.int(),
  ...kept,
});
const RESTORE = z.object({
  action: z.literal('restore'),
  vault: z.string(),
  key: z.string(),
  /** Id of the revocation to restore. */
  revocation: z.string(),
  ...kept,
});
const PAUSE = z.object({
  action: z.literal('pause'),
  /** Vault and name of the key; absent: all keys. */
  vault: z.string().optional(),
  key: z.string().optional(),
  /** When the pause ends by itself. */
  until: z.iso.datetime().optional(),
  ...kept,
});

/** A request for approval, as it is kept. It names exactly what will be done; nothing of it is changed but its state. */
export const APPROVAL = z.discriminatedUnion('action', [RESTORE, REKEY, PAUSE]);
export type ApprovalRequest = z.output<typeof APPROVAL>;
export type RestoreApproval = z.output<typeof RESTORE>;
export type RekeyApproval = z.output<typeof REKEY>;
export type PauseApproval = z.output<typeof PAUSE>;
export type Approver = ApprovalRequest['askedBy'];
/** What is asked for, before anybody has done anything about it. */
export type AskedApproval =
  | Omit<RestoreApproval, Standing>
  | Omit<RekeyApproval, Standing>
  | Omit<PauseApproval, Standing>;

/** Something that was done to a request, as the audit trail is to have it. It is kept beside the request, until it is there. */
export const APPROVAL_DEED = z.object({
  reason: z.enum(['ApprovalAsked', 'ApprovalGiven', 'ApprovalWithdrawn']),
  on: z.iso.datetime(),
  caller: RECORDED_CALLER,
  correlationId: z.string(),
  /** So many had to approve then, and so many had. */
  needed: z.int(),
  given: z.int(),
});
export type ApprovalDeed = z.output<typeof APPROVAL_DEED>;

type Standing = 'v' | 'id' | 'needed' | 'approvedBy' | 'state' | 'outcome';

/**
 * The id of a request: the hash of what is asked for, by whom, and until when. Whoever approves by it approves that and
 * nothing else, whatever somebody has written to the storage since.
 */
export function approvalId(asked: AskedApproval): string {
  const { action, vault, key, reason, ticket, askedBy, askedOn, expiresOn } = asked;
  const { objectId, appId, kind, tokenId, name } = askedBy;
  const what = Object.values(particularsOf(asked));
  const all = [action, vault, key, ...what, reason, ticket, objectId, appId, kind, tokenId, name, askedOn, expiresOn];
  return createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 40);
}

/** What a request asks for beside its key, by the kind of request, in one order: it is part of the id. */
export function particularsOf(
  asked:
    | Pick<RestoreApproval, 'action' | 'revocation'>
    | Pick<RekeyApproval, 'action' | 'to' | 'maxFailures'>
    | Pick<PauseApproval, 'action' | 'until'>,
): Readonly<Record<string, string | number | undefined>> {
  if (asked.action === 'restore') {
    return { revocation: asked.revocation };
  }
  if (asked.action === 'pause') return { until: asked.until };
  return { to: `${asked.to.vault}/${asked.to.key}`, maxFailures: asked.maxFailures };
}

/** Why something cannot be done to a request. */
export type ApprovalRefusal = Extract<
  Reason,
  | 'ApprovalOver'
  | 'ApprovalExpired'
  | 'ApprovalAltered'
  | 'ApproverIsAsker'
  | 'ApproverIsRevoker'
  | 'ApproverIsApplication'
  | 'ApprovedAlready'
  | 'NotTheAsker'
>;

export type Decided = { readonly next: ApprovalRequest } | { readonly refused: ApprovalRefusal };

/**
 * Whether somebody may approve, and what the request is then.
 *
 * @param revokers object ids, in lower case, of who is in the record of the revocation
 * @param atLeast so many have to approve by now, if that is more than when it was asked for
 */
export function approve(
  request: ApprovalRequest,
  by: Approver,
  correlationId: string,
  revokers: readonly string[],
  now: Date,
  atLeast = 0,
): Decided {
  const refused = refusalOf(request, by, revokers, now);
  if (refused) return { refused };
  const approvedBy = [...request.approvedBy, { ...by, on: now.toISOString(), correlationId }];
  const needed = Math.max(request.needed, atLeast);
  return { next: { ...request, needed, approvedBy, state: approvedBy.length >= needed ? 'running' : 'waiting' } };
}

function refusalOf(
  request: ApprovalRequest,
  by: Approver,
  revokers: readonly string[],
  now: Date,
): ApprovalRefusal | undefined {
  if (!isUnaltered(request)) return 'ApprovalAltered';
  if (request.state !== 'waiting') return 'ApprovalOver';
  if (hasExpired(request, now)) return 'ApprovalExpired';
  // A person's own application would be a second voice of the same person.
  if (by.kind !== 'person') return 'ApproverIsApplication';
  if (isSame(by, request.askedBy)) return 'ApproverIsAsker';
  if (revokers.includes(by.objectId.toLowerCase())) return 'ApproverIsRevoker';
  return request.approvedBy.some((other) => isSame(by, other)) ? 'ApprovedAlready' : undefined;
}

/** Whoever asked may take it back, as long as it has not been carried out. */
export function withdraw(request: ApprovalRequest, by: Approver, now: Date): Decided {
  if (request.state !== 'waiting') return { refused: 'ApprovalOver' };
  if (!isSame(by, request.askedBy)) return { refused: 'NotTheAsker' };
  return hasExpired(request, now) ? { refused: 'ApprovalExpired' } : { next: { ...request, state: 'withdrawn' } };
}

/** Whether a request asks for what it asked for when it was made. */
export function isUnaltered(request: ApprovalRequest): boolean {
  return request.id === approvalId(request);
}

export function hasExpired({ expiresOn }: Pick<ApprovalRequest, 'expiresOn'>, now: Date): boolean {
  return now.getTime() >= Date.parse(expiresOn);
}

/** A request as it is shown: one that was cut off is not being carried out for ever. */
export function asShown(request: ApprovalRequest, now: Date): ApprovalRequest {
  const begun = request.approvedBy.at(-1)?.on ?? request.askedOn;
  const isCutOff = request.state === 'running' && now.getTime() - Date.parse(begun) >= RUN_LIMIT_MS;
  return isCutOff ? { ...request, state: 'unknown' } : request;
}

/** Nobody does the same to one request twice. */
export function isSameDeed(a: ApprovalDeed, b: ApprovalDeed): boolean {
  return a.reason === b.reason && isSame(a.caller, b.caller);
}

function isSame(a: Approver, b: Approver): boolean {
  return a.objectId.toLowerCase() === b.objectId.toLowerCase();
}

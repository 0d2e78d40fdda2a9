import { z } from 'zod';
import { InvalidMessageError } from '../errors.ts';
import { TRACEPARENT } from '../telemetry/telemetry.ts';
import { parseJson } from '../text.ts';

/** Queue of work about a key; created by the infrastructure, with its poison queue. */
export const KEY_WORK = 'key-work';
/** Queue of hints that subscriptions have work items. */
export const FLEET_WORK = 'fleet-work';
/** Queue of hints that the outbox has a notification to send. */
export const NOTIFY_WORK = 'notify-work';
export type WorkQueueName = typeof KEY_WORK | typeof FLEET_WORK | typeof NOTIFY_WORK;
export const WORK_QUEUES: readonly WorkQueueName[] = [KEY_WORK, FLEET_WORK, NOTIFY_WORK];

/** Longest texts of people and their tokens in a message; the writer cuts off the rest. In characters. */
export const MOST_CHARACTERS = {
  id: 64,
  appId: 100,
  tokenId: 200,
  name: 300,
  ref: 200,
  why: 2_000,
  ticket: 200,
} as const;

/** Who revoked or restored, and why. */
export const SAID = z.strictObject({
  caller: z.strictObject({
    objectId: z.string().max(MOST_CHARACTERS.id),
    appId: z.string().max(MOST_CHARACTERS.appId),
    kind: z.enum(['person', 'application']).optional(),
    tokenId: z.string().max(MOST_CHARACTERS.tokenId).optional(),
    name: z.string().max(MOST_CHARACTERS.name).optional(),
  }),
  correlationId: z.string().max(MOST_CHARACTERS.ref),
  why: z.string().max(MOST_CHARACTERS.why),
  ticket: z.string().max(MOST_CHARACTERS.ticket).optional(),
});

/** Subscriptions that one message names at most. */
export const MOST_SUBSCRIPTIONS = 10;

/**
 * Why the work was requested: logged, and passed on to all work that follows. It decides when work is tried again, and that work
 * of the drift check moves no exempt use; it never decides what is written.
 */
const cause = z.strictObject({
  /** Event type, `drift`, `revoke`, `restore`, `activation`, `operator`. */
  by: z.string().min(1).max(100),
  /** Event id or another correlation id. */
  ref: z.string().max(MOST_CHARACTERS.ref),
  /** When it began (ISO 8601), to measure the time to the last account; empty if not known. */
  since: z.string().max(40),
});

/** What every message carries. */
const carried = {
  cause,
  attempt: z.int().min(0).max(1_000).default(0),
  /** W3C trace context of the sender, so that one trace goes over the queues. An invalid one is ignored. */
  traceparent: z.string().regex(TRACEPARENT).optional().catch(undefined),
};

// A message about a key carries no authority, since a writer of the queue need not be allowed to revoke or restore. Its
// schema ignores unknown fields: messages of version 2 have more of them.

/** Until when the queue hides it (ISO 8601). For a person who reads the queue; the app decides nothing by it. */
const due = z.iso.datetime().optional();

/** "Read the work items of these subscriptions." The items are the truth: a message that lies costs a few reads. */
const fleetWork = z.object({
  kind: z.literal('subscriptions'),
  subscriptions: z.array(z.guid()).min(1).max(MOST_SUBSCRIPTIONS),
  /** How often it was requeued since another worker held the lease. */
  tries: z.int().min(0).max(100).default(0),
  due,
  ...carried,
});

/** "Reconcile this key." */
const keyWork = z.object({
  kind: z.literal('key'),
  /** Key identifier without a version. */
  key: z.string().min(1).max(300),
  ...carried,
});

/** "Rotate this key if it is due." */
const rotateWork = z.object({
  kind: z.literal('rotate'),
  /** Key identifier without a version. */
  key: z.string().min(1).max(300),
  ...carried,
});

/** "Check the changes that events reported." A hint: the rows of the changes count. */
const changesWork = z.object({ kind: z.literal('changes'), ...carried });

/** Of version 2, and dropped: the drift check finds what it was about. */
const oldWork = z.object({ kind: z.enum(['rotation', 'rekey', 'approval', 'accountRevocation']), ...carried });

/** "Probe whether the file services of this key's dependents show its last revocation or restore." */
const probeWork = z.object({
  kind: z.literal('probe'),
  /** Key identifier without a version. */
  key: z.string().min(1).max(300),
  /** Name of the change that it follows; absent: of the one that the key shows first. Ends when the key shows another. */
  follows: z.string().max(60).optional(),
  ...carried,
});

/** "Look whether the key is as its last revocation or restore left it." */
const revocationWork = z.object({
  kind: z.literal('revocation'),
  /** Key identifier without a version. */
  key: z.string().min(1).max(300),
  due,
  /** Caller, reason and ticket, unproven. The reason and ticket go into the audit record if the key's tags name the same caller. */
  claimed: SAID.optional().catch(undefined),
  ...carried,
});

/** "Send that notification of the outbox to that target." */
const notifyWork = z.object({
  kind: z.literal('notify'),
  /** Name of a target of `CMK_NOTIFY`. */
  target: z.string().min(1).max(32),
  /** Its id. */
  notification: z.string().regex(/^[0-9a-f]{32}$/),
  ...carried,
});

const keyQueueWork = z.discriminatedUnion('kind', [
  keyWork,
  probeWork,
  rotateWork,
  changesWork,
  revocationWork,
  oldWork,
]);

export type Cause = z.output<typeof cause>;

type FleetQueueWork = z.output<typeof fleetWork>;
export type KeyWork = z.output<typeof keyWork>;
export type ProbeWork = z.output<typeof probeWork>;
export type RevocationWork = z.output<typeof revocationWork>;
export type RotateWork = z.output<typeof rotateWork>;
export type NotifyWork = z.output<typeof notifyWork>;
/** What waits in {@link KEY_WORK}. */
export type KeyQueueWork = z.output<typeof keyQueueWork>;
export type Work = KeyQueueWork | FleetQueueWork | NotifyWork;

export const parseFleetWork = parserOf(fleetWork);
export const parseNotifyWork = parserOf(notifyWork);
export const parseKeyQueueWork = parserOf(keyQueueWork);

/**
 * Reads an entry of a queue: the host hands over JSON as an object, and everything else as text.
 *
 * @throws {@link InvalidMessageError} when the entry is no such message
 */
function parserOf<T extends z.ZodType>(schema: T): (entry: unknown) => z.output<T> {
  return (entry) => {
    const result = schema.safeParse(entry);
    if (result.success) return result.data;
    const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'message'}: ${issue.message}`);
    throw new InvalidMessageError(`The queue message is not one of ours (${problems.slice(0, 5).join('; ')}).`);
  };
}

/** A cause as it is stored as JSON; undefined for anything else. */
export function parseCause(json: unknown): Cause | undefined {
  return typeof json === 'string' ? cause.safeParse(parseJson(json)).data : undefined;
}

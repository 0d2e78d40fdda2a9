import { z } from 'zod';
import { parseJson } from '../azure/parse-json.ts';
import { REASON, TICKET } from '../http/json-body.ts';
import { TRACEPARENT } from '../telemetry/telemetry.ts';

/** Queue of work about a key; created by the infrastructure, with its poison queue. */
export const KEY_WORK = 'key-work';
/** Queue of hints that subscriptions have work items. */
export const FLEET_WORK = 'fleet-work';
/** Queue of hints that the outbox has a notification to send. */
export const NOTIFY_WORK = 'notify-work';

const shortText = z.string().max(300);

/** Caller of a revocation or restore, with the reason: what the API accepts. */
const CLAIMED = z.strictObject({
  caller: z.strictObject({
    objectId: shortText,
    appId: shortText,
    kind: z.enum(['person', 'application']).optional(),
    tokenId: shortText.optional(),
    name: shortText.optional(),
  }),
  correlationId: shortText,
  why: REASON,
  ticket: TICKET,
});

/** Maximum number of subscriptions in a message. */
export const MOST_SUBSCRIPTIONS = 10;

/**
 * Cause of the work: logged, and passed on to all follow-up work. The cause decides when work is retried, and that
 * work of the drift check moves no exempt use. It never decides what to write.
 */
const cause = z.strictObject({
  /** Event type, `drift`, `revoke`, `restore`, `activation`, `operator`. */
  by: z.string().min(1).max(100),
  /** Event id or another correlation id. */
  ref: z.string().max(200),
  /** Start of the cause (ISO 8601), to measure the time to the last account; empty if not recorded. */
  since: z.string().max(40),
});

/** Fields of every message. */
const carried = {
  cause,
  /** W3C trace context of the sender, for one trace across the queues. An invalid value is ignored. */
  traceparent: z.string().regex(TRACEPARENT).optional().catch(undefined),
};

// A message about a key has no authority: a writer of the queue may lack the right to revoke or restore. Its
// schema ignores unknown fields.

/** End of the visibility timeout (ISO 8601), from which the age of a hidden message counts. */
const due = z.iso.datetime().optional();

/** Requests a read of subscriptions' work items. The items are authoritative: a forged message costs a few reads. */
const fleetWork = z.object({
  kind: z.literal('subscriptions'),
  subscriptions: z.array(z.guid()).min(1).max(MOST_SUBSCRIPTIONS),
  /** Number of requeues because another worker held the lease. */
  tries: z.int().min(0).max(100).default(0),
  due,
  ...carried,
});

/** Schema of a message about a key. */
const keyMessage = <K extends string>(kind: K) =>
  z.object({
    kind: z.literal(kind),
    /** Key identifier without a version, in lower case. */
    key: z.string().min(1).max(300).toLowerCase(),
    ...carried,
  });

/** A message that repeats a stored work item: it does nothing unless the item is due. Without it, a message is a request. */
const hint = z.literal(true).optional().catch(undefined);

/** Requests a reconcile of a key. */
const keyWork = keyMessage('key');

/** Requests the rotation of a key if it is due. */
const rotateWork = keyMessage('rotate').extend({ hint });

/** Requests probes of whether the file services of a key's dependents show its last revocation or restore. */
const probeWork = keyMessage('probe').extend({ hint });

/**
 * Requests a check of whether the key matches its last revocation or restore. Its attempts are counted here, since
 * break-glass depends on no table.
 */
const revocationWork = keyMessage('revocation').extend({
  due,
  attempt: z.int().min(0).max(1_000).default(0),
  /** Unverified. The audit record gets the reason and ticket if the key's tags name the same caller. */
  claimed: CLAIMED.optional().catch(undefined),
});

/** Requests a check of the reported changes. Their rows are authoritative. */
const changesWork = z.object({ kind: z.literal('changes'), hint, ...carried });

/** Requests the delivery of a notification from the outbox to a target. */
const notifyWork = z.object({
  kind: z.literal('notify'),
  hint,
  /** Name of a `CMK_NOTIFY` target. */
  target: z.string().min(1).max(32),
  /** Id of the notification. */
  notification: z.string().regex(/^[0-9a-f]{32}$/),
  ...carried,
});

const keyQueueWork = z.discriminatedUnion('kind', [keyWork, probeWork, rotateWork, changesWork, revocationWork]);

export type Cause = z.output<typeof cause>;

export type ChangesWork = z.output<typeof changesWork>;
export type FleetQueueWork = z.output<typeof fleetWork>;
export type KeyWork = z.output<typeof keyWork>;
export type ProbeWork = z.output<typeof probeWork>;
export type RevocationWork = z.output<typeof revocationWork>;
export type RotateWork = z.output<typeof rotateWork>;
export type NotifyWork = z.output<typeof notifyWork>;

/** Parsers of the messages of each queue. */
export const PARSERS = {
  [KEY_WORK]: parserOf(keyQueueWork),
  [FLEET_WORK]: parserOf(fleetWork),
  [NOTIFY_WORK]: parserOf(notifyWork),
};
export type WorkQueueName = keyof typeof PARSERS;
export const WORK_QUEUES = Object.keys(PARSERS) as readonly WorkQueueName[];
/** Messages of a queue. */
export type WorkIn<Q extends WorkQueueName> = ReturnType<(typeof PARSERS)[Q]>;
export type Work = WorkIn<WorkQueueName>;

/**
 * Parses a queue message: the host passes JSON as an object, and anything else as text.
 *
 * @throws TypeError that names at most five problems if the message does not match the schema
 */
function parserOf<T extends z.ZodType>(schema: T): (entry: unknown) => z.output<T> {
  return (entry) => {
    const result = schema.safeParse(entry);
    if (result.success) return result.data;
    const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'message'}: ${issue.message}`);
    throw new TypeError(`The queue message has an invalid format (${problems.slice(0, 5).join('; ')}).`);
  };
}

/** Parses a cause from JSON; returns undefined for anything else. */
export function parseCause(json: unknown): Cause | undefined {
  return typeof json === 'string' ? cause.safeParse(parseJson(json)).data : undefined;
}

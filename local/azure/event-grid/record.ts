/** One event on its way to one event subscription. */
export interface EventRecord {
  /** The event's id, the same for all subscriptions. */
  readonly id: string;
  readonly time: string;
  readonly type: string;
  readonly subject: string;
  /** ARM id. */
  readonly subscription: string;
  readonly function: string | undefined;
  readonly attempts: Attempt[];
  /** `dropped`: a fault lost it, or Event Grid gave up without a dead-letter destination. `reason` says which. */
  outcome: 'pending' | 'delivered' | 'dropped' | 'dead-lettered';
  reason?: string;
  /** ARM id of the container that has its dead letter. */
  deadLetterContainer?: string;
}

/** One request of a delivery. An attempt that timed out before its answer came has both `error` and `status`. */
export interface Attempt {
  readonly time: string;
  status?: number;
  error?: string;
  durationMs?: number;
}

/** Ends a record without a delivery. */
export function giveUp(record: EventRecord, reason: string): void {
  record.outcome = 'dropped';
  record.reason = reason;
}

/** The innermost error message (`fetch` hides that of the socket behind "fetch failed"). */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message ? error.cause.message : error.message;
}

/** The delay doubles with each failed attempt, from the first to the longest. Milliseconds. */
export interface RetrySchedule {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Schedule of work items and of uses. */
export const WORK_RETRIES: RetrySchedule = { firstMs: 15_000, longestMs: 300_000 };

/** Schedule of notifications: 20 attempts take about twelve hours. Standard Webhooks recommends hours to days. */
export const NOTIFICATION_RETRIES: RetrySchedule = { firstMs: 15_000, longestMs: 3_600_000 };

/**
 * Returns the delay after a failed attempt, in milliseconds.
 *
 * @param failed number of earlier failed attempts
 */
export function getRetryDelay(failed: number, { firstMs, longestMs } = WORK_RETRIES): number {
  return Math.min(firstMs * 2 ** failed, longestMs);
}

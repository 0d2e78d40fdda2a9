const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** Event Grid's retry schedule ("Event Grid message delivery and retry"), without its jitter. */
const schedule = [
  10 * second,
  30 * second,
  minute,
  5 * minute,
  10 * minute,
  30 * minute,
  hour,
  3 * hour,
  6 * hour,
  12 * hour,
];

/** An attempt without an answer fails after this time. */
export const answerTimeoutMs = 30 * second;

/** Delay between the last failed attempt and the dead letter. */
export const deadLetterDelayMs = 5 * minute;

/** Only these statuses are a success; any other 2xx is a failure. */
export function isDelivered(status: number): boolean {
  return status >= 200 && status <= 204;
}

/** Statuses after which Event Grid does not retry. */
export function isFinal(status: number, endpointType: string): boolean {
  return [400, 413, 403, ...(endpointType === 'WebHook' ? [401] : [])].includes(status);
}

/** Delay after the `failures`th failed attempt (from 1); `status` is that of its answer, if there was one. */
export function retryDelayMs(failures: number, status: number | undefined, endpointType: string): number {
  const planned = schedule[Math.min(failures, schedule.length) - 1] ?? 12 * hour;
  return Math.max(planned, minimumMs(status, endpointType));
}

function minimumMs(status: number | undefined, endpointType: string): number {
  if (status === 404) return endpointType === 'WebHook' ? 10 * second : 5 * minute;
  if (status === 408) return 2 * minute;
  if (status === 503) return 30 * second;
  return 10 * second;
}

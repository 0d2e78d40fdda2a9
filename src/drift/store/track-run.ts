import { DAY_MS } from '../../time/spans.ts';
import type { RunningChecks } from './drift-storage-client.ts';
import type { RunningCheck } from './running-check.ts';

/** What is known of a check that was lost is kept so long, for whoever still asks for its report. Milliseconds. */
const KEPT_MS = DAY_MS;

/**
 * Writes down that a check has begun, so that every instance can tell, and forgets those that were lost a day ago. It never
 * throws: a check that cannot be written down is made all the same.
 */
export async function begin(check: RunningCheck, running: RunningChecks): Promise<void> {
  try {
    await running.begin(check);
    await running.forget(new Date(Date.parse(check.startedOn) - KEPT_MS));
  } catch {
    // Whoever asks for the report before it is there is told that there is none.
  }
}

/** To be called once the report is written, or when it is certain that it will not be. It never throws. */
export async function end(check: RunningCheck, failure: string | undefined, running: RunningChecks): Promise<void> {
  try {
    await (failure === undefined ? running.end(check.id) : running.begin({ ...check, failure }));
  } catch {
    // It counts as lost once it cannot be under way any more.
  }
}

import type { Turns } from '../azure/turns.ts';
import { ACCOUNT_WORK, type Cause } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { Dependent } from './dependent.ts';
import { Dispatcher, PATIENT_LIST_CALLS } from './dispatcher.ts';
import type { UnreadableScopes } from './inventory.ts';

/** An account that could not be looked at is tried again after so many seconds, unless Azure says when. */
export const LATER_SECONDS = 15;

/** Accounts whose scopes could not be asked for now are asked one by one, as fast as lists are allowed. */
export async function askLater(
  toAsk: readonly Dependent[],
  unreadable: readonly UnreadableScopes[],
  cause: Cause,
  services: {
    readonly queue: Pick<WorkQueue, 'send'>;
    /** By which work is handed out. */
    readonly schedule: Turns;
    readonly now: () => Date;
  },
): Promise<void> {
  const ask = new Dispatcher<Dependent>(
    services,
    () => PATIENT_LIST_CALLS,
    ({ id: account, location }, { delaySeconds, turn }) =>
      services.queue.send(ACCOUNT_WORK, { kind: 'scopes', account, location, turn, cause, attempt: 0 }, delaySeconds),
  );
  const failures = new Map(unreadable.map(({ id, failure }) => [id, failure]));
  for (const dependent of toAsk) {
    await ask.dispatch(dependent, failures.get(dependent.id)?.retryAfterSeconds ?? LATER_SECONDS);
  }
}

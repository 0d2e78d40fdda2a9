import type { Dependent } from '../accounts/dependent.ts';
import { Dispatcher, moveCalls } from '../accounts/dispatcher.ts';
import type { Turns } from '../azure/turns.ts';
import type { RekeyWay } from '../fleet/rekey-order.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { ACCOUNT_WORK, type AccountWork, type RekeyWork } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';

/**
 * At the pace that Azure takes them: what goes beyond it waits in the queue. Errors are the queue's.
 *
 * @returns when the last of their turns comes, in milliseconds since the epoch
 */
export async function sendAccounts(
  wave: readonly Dependent[],
  { order }: RekeyWay,
  from: ManagedKey,
  work: RekeyWork,
  services: { readonly schedule: Turns; readonly queue: Pick<WorkQueue, 'send'>; readonly now: () => Date },
): Promise<number> {
  let lastMs = services.now().getTime();
  const dispatcher = new Dispatcher<Dependent>(
    services,
    () => moveCalls({}),
    ({ id, location, scopes }, { delaySeconds, turn }) => {
      lastMs = Math.max(lastMs, turn);
      const hint = scopes ? { scopes } : {};
      const message: AccountWork = {
        ...{ kind: 'account', account: id, location, key: from.id, ...hint, turn, rekey: order.id },
        ...{ cause: work.cause, attempt: 0 },
      };
      return services.queue.send(ACCOUNT_WORK, message, delaySeconds);
    },
  );
  for (const dependent of wave) await dispatcher.dispatch(dependent);
  return lastMs;
}

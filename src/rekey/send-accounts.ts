import type { Dependent } from '../accounts/dependent.ts';
import { Dispatcher, moveCalls } from '../accounts/dispatcher.ts';
import { pacingCell, type Turns } from '../azure/turns.ts';
import type { RekeyData, RekeyStore, RekeyWay } from '../fleet/rekey-order.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { HOUR_MS } from '../time/spans.ts';
import { ACCOUNT_WORK, type AccountWork, type RekeyWork } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';

/** Lists are waited for so long: whoever is lost among those that wait holds up all others. Milliseconds. */
const LONGEST_LISTS_MS = HOUR_MS;

/**
 * At the pace that Azure takes them: what goes beyond it waits in the queue. Errors are the queue's.
 *
 * @returns when the last of them can have been seen to, and whether some may have to wait for a list of their scopes: what is
 *   sent once more while it waits has another list, and comes behind all others with it
 */
export async function sendAccounts(
  wave: readonly Dependent[],
  { order }: RekeyWay,
  from: ManagedKey,
  work: RekeyWork,
  services: {
    readonly schedule: Turns;
    readonly queue: Pick<WorkQueue, 'send'>;
    readonly rekeys: Pick<RekeyStore, 'noteSent'>;
    readonly now: () => Date;
  },
): Promise<Required<Pick<NonNullable<RekeyData['wave']>, 'tick' | 'until' | 'lists'>>> {
  const { tick } = work;
  // First: whoever is looked at before that is noted would be waited for.
  await services.rekeys.noteSent(
    order.id,
    wave.map(({ id }) => id),
    tick,
  );
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
  const toList = Map.groupBy(
    wave.filter(({ scopes }) => scopes !== 'none'),
    pacingCell,
  );
  const nowMs = services.now().getTime();
  let listsMs = 0;
  for (const [place, ...others] of toList.values()) {
    if (place) listsMs = Math.max(listsMs, services.schedule.listsMs(place, others.length + 1, nowMs));
  }
  lastMs = Math.max(lastMs, nowMs + Math.min(listsMs, LONGEST_LISTS_MS));
  return { tick, until: new Date(lastMs).toISOString(), lists: listsMs > 0 };
}

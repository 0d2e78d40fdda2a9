import { storageClock } from '../../src/azure/storage-clock.ts';
import type { Log } from '../../src/errors/log.ts';
import { isJobKind, NO_SUBSCRIPTION, type WorkItem } from '../../src/index/work-items.ts';
import type { Services } from '../../src/services.ts';

/** Work items do not end in so many rounds: something goes in circles. */
const MOST_ROUNDS = 10;

/** All work items there are. */
export async function workItems({ workItems: items }: Pick<Services, 'workItems'>): Promise<WorkItem[]> {
  const found: WorkItem[] = [];
  for await (const item of items.all()) found.push(item);
  return found;
}

/** Does what the work items of keys and subscriptions ask for, as the app's functions do, until nothing is due. */
export async function reconcileAll(services: Pick<Services, 'workItems' | 'controller'>, log: Log): Promise<void> {
  const { controller } = services;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const due = (await workItems(services)).filter(
      ({ kind, due: dueOn }) => !isJobKind(kind) && dueOn <= storageClock.now(),
    );
    if (due.length === 0) return;

    for (const { subscription, about, cause } of due) {
      if (subscription === NO_SUBSCRIPTION) await controller.handleKeyMessage(about, cause, log);
      else await controller.handleFleetMessage({ subscriptions: [subscription], tries: 0, cause }, log);
    }
  }

  throw new Error('Work items are still due.');
}

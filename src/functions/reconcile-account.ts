import { app } from '@azure/functions';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { ACCOUNT_WORK, parseAccountQueueWork } from '../work/messages.ts';
import { DONE } from '../work/outcome.ts';
import { queueHandler } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

// What version 2 left in its queue becomes work items.
app.storageQueue('reconcileAccount', {
  queueName: ACCOUNT_WORK,
  connection: 'AzureWebJobsStorage',
  handler: queueHandler(ACCOUNT_WORK, parseAccountQueueWork, (work, { settings, controller }) =>
    outcomeBy(TIME_LIMITS.accountWork, async () => {
      const subscription = parseStorageAccountId(work.account)?.subscriptionId;
      const key = work.kind === 'account' ? settings.vaults.key(work.key) : undefined;
      if (subscription && work.kind === 'scopes') await controller.request(subscription, 'scopes', '', work.cause);
      if (subscription && key) await controller.request(subscription, 'key', key.id, work.cause);
      return DONE;
    }),
  ),
});

import { app } from '@azure/functions';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { ACCOUNT_WORK, parseAccountQueueWork } from '../work/messages.ts';
import { DONE } from '../work/outcome.ts';
import { queueHandler } from './queue-message.ts';

// What version 2 left in its queue becomes work items.
app.storageQueue('reconcileAccount', {
  queueName: ACCOUNT_WORK,
  connection: 'AzureWebJobsStorage',
  handler: queueHandler(ACCOUNT_WORK, parseAccountQueueWork, async (work, services) => {
    const subscription = parseStorageAccountId(work.account)?.subscriptionId;
    const key = work.kind === 'account' ? services.settings.vaults.key(work.key) : undefined;
    if (subscription && work.kind === 'scopes')
      await services.controller.request(subscription, 'scopes', '', work.cause);
    if (subscription && key) await services.controller.request(subscription, 'key', key.id, work.cause);
    return DONE;
  }),
});

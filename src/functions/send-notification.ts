import { app } from '@azure/functions';
import { deliver } from '../notify/deliver.ts';
import { NOTIFY_WORK, parseNotifyWork } from '../work/messages.ts';
import { queueHandler } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('sendNotification', {
  queueName: NOTIFY_WORK,
  connection: 'AzureWebJobsStorage',
  handler: queueHandler(NOTIFY_WORK, parseNotifyWork, (work, services, log) =>
    outcomeBy(TIME_LIMITS.notification, () => deliver(work, services, log)),
  ),
});
